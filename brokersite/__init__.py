"""The project: settings, routes, what is the same for every request."""

VERSION = "0.1.0"
