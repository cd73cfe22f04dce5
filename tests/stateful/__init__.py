"""The broker against what its clients were told, in histories that nobody wrote.

Hypothesis makes them up: requests, workers' steps, faults at any call, the clock. The
real views, operations and reconciliation run on the world in memory, in one thread.
"""
