"""`cf push` proved without a Cloud Foundry: `make cf-test`.

What the platform does is rebuilt here from its own rules: staging as the Python
buildpack stages, instances as Diego runs them, a router that behaves as gorouter, and
clients that behave as Cloud Controller. Nothing here knows how brokersite works inside,
except audit.py, which reads its rows at the end.
"""
