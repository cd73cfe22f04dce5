"""Chaos: a seeded random history under seeded random faults, then a checker.

Two Docker Engines in network namespaces, a proxy before each that breaks what is asked
of it, web and worker processes that are killed and stopped, and clients that behave as
Cloud Controller. In the end the checker believes nothing but the hosts, real logins and
what the clients were told. docs/chaos.md says how to run it and how to read its score.
"""
