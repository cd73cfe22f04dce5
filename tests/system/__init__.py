"""The whole site as processes, on real Docker, killed at named points."""
