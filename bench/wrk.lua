-- What wrk has found, as one line of JSON.
done = function(summary)
    local errors = summary.errors
    io.write(string.format('{"requests": %d, "duration_us": %d, "errors": %d}\n', summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
