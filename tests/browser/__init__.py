"""The console in a real browser, before a site that runs as in production."""
