"""Measurements that brokersite is judged by: `make bench`."""
