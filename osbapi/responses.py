"""The domain's rows as documents of the specification. Nothing is ever null."""

from typing import Any

from rest_framework.response import Response

from instances.models import Operation, ServiceBinding, ServiceOffering, ServicePlan

_STATES = {
    Operation.State.QUEUED: "in progress",
    Operation.State.RUNNING: "in progress",
    Operation.State.SUCCEEDED: "succeeded",
    Operation.State.FAILED: "failed",
    Operation.State.CANCELLED: "failed",
}


def catalog() -> dict[str, Any]:
    offerings = ServiceOffering.objects.filter(active=True).prefetch_related("plans")
    entries = [_offering(offering) for offering in offerings]
    return {"services": [entry for entry in entries if entry["plans"]]}


def _offering(offering: ServiceOffering) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": offering.pk,
        "name": offering.name,
        "description": offering.description,
        "bindable": offering.bindable,
        "plans": [_plan(plan) for plan in offering.plans.all() if plan.active],
    }
    return entry | _present(tags=offering.tags, metadata=offering.metadata)


def _plan(plan: ServicePlan) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": plan.pk,
        "name": plan.name,
        "description": plan.description,
        "free": plan.free,
        "maximum_polling_duration": plan.maximum_polling_duration,
    }
    return entry | _present(metadata=plan.metadata)


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def provisioned(operation: Operation, *, is_new: bool, in_progress: bool) -> Response:
    if in_progress:
        return accepted(operation)
    return Response({}, status=201 if is_new else 200)


def accepted(operation: Operation) -> Response:
    return Response({"operation": operation.pk.hex}, status=202)


def deleted() -> Response:
    return Response({})


def bound(binding: ServiceBinding, *, is_new: bool) -> Response:
    return Response({"credentials": binding.credentials}, status=201 if is_new else 200)


def last_operation(operation: Operation) -> Response:
    document = {"state": _STATES[Operation.State(operation.state)]}
    description = operation.error
    if not description and operation.steps and not operation.is_finished:
        description = operation.steps[-1]["text"]
    return Response(document | _present(description=description))
