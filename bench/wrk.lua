-- What wrk has found, as one line of JSON. Latencies are in microseconds.
done = function(summary, latency)
    local errors = summary.errors
    io.write(string.format('{"requests": %d, "duration_us": %d, "p50_us": %d, "p95_us": %d, "errors": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(95),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
