"""Ports, and the containers that listen on them."""

import uuid
from typing import Any

from instances import errors
from instances.models import Container, PortLease
from instances.operations import (
    hosts,
)
from tests.stateful.mutants.base import mutant, nothing, patch


@mutant
def a_port_is_free_before_its_container_is_gone() -> Any:
    def remove(container: Container) -> None:
        lease = getattr(container, "lease", None)
        if lease is not None:
            lease.release()
        hosts.connect(container.host).remove(container.name)
        Container.objects.mark_gone(container)

    return patch(hosts, "remove", remove)


@mutant
def a_port_is_never_given_back() -> Any:
    return patch(PortLease, "release", nothing)


@mutant
def a_name_is_another_at_each_try() -> Any:
    def name(container: Container) -> str:
        return f"brokersite-{uuid.uuid4().hex}"

    return patch(Container, "name", property(name))


@mutant
def late_creates_stay() -> Any:
    return patch(hosts, "remove_if_unwanted", nothing)


@mutant
def the_first_port_is_always_free() -> Any:
    def reserve(rows: Any, container: Any, host: Any) -> PortLease:
        return rows.create(host=host, number=host.port_min, container=container)

    return patch(type(PortLease.objects.all()), "reserve", reserve)


@mutant
def a_ready_database_moves_to_a_free_port() -> Any:
    original = hosts.start_again

    def start_again(container: Container) -> None:
        try:
            original(container)
        except errors.PortTaken:
            hosts.connect(container.host).remove(container.name)
            container.lease.release()
            container.lease = PortLease.objects.reserve(container, container.host)
            hosts.connect(container.host).create(hosts.spec(container))
            hosts.connect(container.host).start(container.name)

    return patch(hosts, "start_again", start_again)


@mutant
def a_stopped_database_stays_down() -> Any:
    return patch(hosts, "start_again", nothing)
