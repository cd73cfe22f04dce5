"""What is under way, and what the platform is told of it."""

from typing import Any

from instances import errors
from instances.models import Kind, Operation
from instances.models.service_instance import ServiceInstanceQuerySet
from instances.operations import (
    back_up,
    provision,
    starting,
    update,
)
from osbapi import responses
from tests.stateful.mutants.base import mutant, nothing, patch, verb


@mutant
def nobody_looks_at_the_lease() -> Any:
    def write(operation: Operation, **changes: Any) -> None:
        Operation.objects.filter(pk=operation.pk).update(**changes)
        for name, value in changes.items():
            setattr(operation, name, value)
        operation.forget("leased_until", "not_before", "finished_at")

    return patch(Operation, "write", write)


@mutant
def a_failed_provision_keeps_its_container() -> Any:
    def give_up(work: Any, error: errors.BrokerError) -> None:
        with work.failing(error):
            work.operation.instance.move("failed", only_from=("provisioning",))

    return verb(Kind.PROVISION, give_up=give_up, clean_up=nothing)


@mutant
def a_failed_restore_is_not_undone() -> Any:
    def give_up(work: Any, error: errors.BrokerError) -> None:
        with work.failing(error):
            back_up.abandon(work.operation, str(error))

    return verb(Kind.RESTORE, give_up=give_up, clean_up=nothing)


@mutant
def a_revocation_is_given_up() -> Any:
    def give_up(work: Any, error: errors.BrokerError) -> None:
        with work.failing(error):
            work.operation.binding.move(
                "gone", only_from=("deleting",), live_key=None, password=""
            )

    return verb(Kind.UNBIND, max_attempts=1, give_up=give_up)


@mutant
def an_update_forgets_the_limits() -> Any:
    return patch(update, "reserve", nothing)


@mutant
def another_wish_under_an_id_is_a_repeat() -> Any:
    def repeat(existing: Any, wish: Any) -> Operation:
        return existing.operations.filter(kind=Kind.PROVISION).latest("created_at")

    return patch(provision, "_repeat", repeat)


@mutant
def a_failed_instance_is_unknown() -> Any:
    original = ServiceInstanceQuerySet.find_live

    def find(rows: Any, guid: str) -> Any:
        found = original(rows, guid)
        return None if found is not None and found.state == "failed" else found

    return patch(ServiceInstanceQuerySet, "find_live", find)


@mutant
def every_poll_says_succeeded() -> Any:
    states = dict.fromkeys(Operation.State, "succeeded")
    return patch(responses, "_STATES", states)


@mutant
def provision_is_over_when_it_is_created() -> Any:
    return patch(starting, "wait_until_ready", nothing)
