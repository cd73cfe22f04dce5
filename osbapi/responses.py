"""The domain's rows as documents of the specification. Nothing is ever null."""

import hashlib
from typing import Any

from rest_framework.response import Response

from instances.models import (
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.models.operation import EXCLUSIVE

POLLED = EXCLUSIVE
"""The kinds that a platform asks about as the instance's last operation."""
_STATES = {
    Operation.State.QUEUED: "in progress",
    Operation.State.RUNNING: "in progress",
    Operation.State.SUCCEEDED: "succeeded",
    Operation.State.FAILED: "failed",
    Operation.State.CANCELLED: "failed",
}


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def provisioned(operation: Operation, *, is_new: bool) -> Response:
    return Response(_metadata(operation.instance), status=201 if is_new else 200)


def accepted(operation: Operation) -> Response:
    document: dict[str, Any] = {"operation": operation.pk.hex}
    if operation.kind != Kind.DEPROVISION:
        document |= _metadata(operation.instance)
    return Response(document, status=202)


def updated(row: ServiceInstance) -> Response:
    return Response(_metadata(row))


def deleted() -> Response:
    return Response({})


def instance(row: ServiceInstance) -> Response:
    """What it has, not what its plan has by now (OSB 2.17, Fetching)."""
    document = {"service_id": row.plan.offering_id, "plan_id": row.plan_id}
    version = row.maintenance_version
    return Response(
        document
        | _present(
            parameters=row.parameters,
            maintenance_info={"version": version} if version else None,
        )
        | _metadata(row)
    )


def _metadata(row: ServiceInstance) -> dict[str, Any]:
    """Said with every answer: Cloud Controller forgets what an update leaves out."""
    return {"metadata": {"attributes": {"engine": row.plan.offering.engine}}}


def bound(
    binding: ServiceBinding, *, status: int = 200, with_parameters: bool = False
) -> Response:
    credentials: Any = binding.credentials
    document: dict[str, Any] = {"credentials": credentials} | _present(
        endpoints=_endpoints(credentials)
    )
    if with_parameters:
        document |= _present(parameters=binding.parameters)
    return Response(document, status=status)


def _endpoints(credentials: dict[str, Any]) -> list[dict[str, Any]]:
    """None where an operator's template names them otherwise, or not at all."""
    host, port = credentials.get("host"), credentials.get("port")
    if not (isinstance(host, str) and isinstance(port, int)):
        return []
    return [{"host": host, "ports": [str(port)]}]


def last_operation(operation: Operation) -> Response:
    state = _STATES[Operation.State(operation.state)]
    description = operation.error
    if not description and not operation.is_finished:
        description = operation.last_step
    document: dict[str, Any] = {"state": state} | _present(description=description)
    if operation.kind == Kind.UPDATE and state == "failed":
        # What was before has been put back (OSB-CHECKLIST 81, 106).
        document |= {"instance_usable": True, "update_repeatable": True}
    return Response(document)
