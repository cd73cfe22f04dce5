"""The operators' console. It reads rows and calls operations' accept, no more."""

from instances.admin import (
    access,
    audit_event,
    backup,
    broker,
    bulk_run,
    catalog,
    container,
    docker_host,
    login_attempt,
    operation,
    port_lease,
    service_binding,
    service_instance,
    user,
)

__all__ = [
    "access",
    "audit_event",
    "backup",
    "broker",
    "bulk_run",
    "catalog",
    "container",
    "docker_host",
    "login_attempt",
    "operation",
    "port_lease",
    "service_binding",
    "service_instance",
    "user",
]
