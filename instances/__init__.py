"""The domain: service instances as database containers on Docker hosts."""
