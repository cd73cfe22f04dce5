"""Faults, by what they are done to: each a method that says whether it was done."""

from collections.abc import Callable

Say = Callable[..., bool]
"""Writes a line into the history, about an instance or about none; always True."""
