"""The domain's rows as documents of the specification. Nothing is ever null."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from instances.dashboard.address import dashboard_url
from instances.logins.configured import dashboard_client
from instances.models import (
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations.catalog import catalog_document
from osbapi.fresh import Fresh

_STATES = {
    Operation.State.QUEUED: "in progress",
    Operation.State.RUNNING: "in progress",
    Operation.State.SUCCEEDED: "succeeded",
    Operation.State.FAILED: "failed",
    Operation.State.CANCELLED: "failed",
}


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class Catalog:
    """The document as it is sent."""

    content: bytes
    etag: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "ETag": self.etag,
            "Cache-Control": "private, no-cache",
        }

    @classmethod
    def read(cls) -> "Catalog":
        document = catalog_document()
        for offering in document["services"]:
            # Not in the document itself, which the console shows: it is a secret.
            client = dashboard_client(offering["id"])
            offering |= _present(dashboard_client=client)
        content = JSONRenderer().render(document)
        return cls(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


catalogs: Fresh[Catalog] = Fresh()
"""The one catalog, under the key CATALOG."""
CATALOG = "catalog"


def catalog() -> Catalog:
    return catalogs.get(CATALOG, Catalog.read)


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
    document = {"metadata": {"attributes": {"engine": row.plan.offering.engine}}}
    return document | _present(dashboard_url=dashboard_url(row.guid))


def bound(
    binding: ServiceBinding, *, status: int = 200, with_parameters: bool = False
) -> Response:
    credentials: Any = binding.credentials
    document: dict[str, Any] = {"credentials": credentials} | _present(
        endpoints=_endpoints(credentials)
    )
    if binding.expires_at and binding.renew_before:
        document["metadata"] = {
            "expires_at": _moment(binding.expires_at),
            "renew_before": _moment(binding.renew_before),
        }
    if with_parameters:
        document |= _present(parameters=binding.parameters)
    return Response(document, status=status)


def _moment(at: datetime) -> str:
    """As OSB 2.17 has it, Binding Metadata Object: yyyy-mm-ddThh:mm:ss.sZ."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 100_000}Z"


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
        # Unless what was before could not be put back (OSB-CHECKLIST 81, 106).
        is_usable = operation.request.get("instance_usable", True)
        document |= {"instance_usable": is_usable, "update_repeatable": True}
    return Response(document)
