"""The Open Service Broker API 2.17 over HTTP. It translates; the domain decides."""
