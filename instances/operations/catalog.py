"""The catalog: what platforms read, may ask for, and would refuse."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CharField

from instances import errors
from instances.engines import ENGINES, Engine, find_configurable
from instances.models import (
    Kind,
    ServiceInstance,
    ServiceOffering,
    ServicePlan,
    catalog_rules,
)
from instances.models.prepared import Prepared, Slot
from instances.operations import plan_settings
from instances.operations.broker_parameters import schema_of

SCHEMAS = {
    "service_instance": {"create": "create_schema", "update": "update_schema"},
    "service_binding": {"create": "bind_schema"},
}
"""Where the catalog has which schema of an engine."""


def get_plan(offering_id: str, plan_id: str) -> ServicePlan:
    """The plan, offered or not. Raise InvalidRequest if it is not the offering's."""
    plan = _PLAN.find(pk=plan_id)
    # To the letter, as not every database compares.
    if plan is None or plan.pk != plan_id:
        raise errors.InvalidRequest(f"plan_id: there is no plan {plan_id}.")
    if plan.offering_id != offering_id:
        raise errors.InvalidRequest(
            f"service_id: plan {plan_id} is not one of offering {offering_id}."
        )
    return plan


_PLAN = Prepared(
    lambda: (
        ServicePlan.objects.select_related("offering")
        .filter(pk=Slot("pk", CharField()))
        .order_by()
    )
)


def check_plan(
    instance: ServiceInstance,
    *,
    offering_id: str,
    plan_id: str,
    or_former: bool = False,
) -> None:
    """Raise InvalidRequest if a request names another offering or plan.

    A platform that has missed the answer to a plan change goes on with the former
    plan: it must still be able to ask and to delete. One that an operator has changed
    is none that a platform could know of: it may bind, too.
    """
    plan = instance.plan
    if plan.offering_id != offering_id:
        raise errors.InvalidRequest("service_id: it is not this instance's offering.")
    if plan.pk == plan_id or plan_id in _plans_before_operators(instance):
        return
    if not (or_former and plan_id in _former_plans(instance)):
        raise errors.InvalidRequest("plan_id: it is not this instance's plan.")


def _plans_before_operators(instance: ServiceInstance) -> list[str]:
    """Those that operators have changed: a platform is not told of that."""
    updates = instance.operations.filter(
        kind=Kind.UPDATE, requested_by__startswith="operator "
    )
    return [update.request["former_plan_id"] for update in updates]


def _former_plans(instance: ServiceInstance) -> list[str]:
    updates = instance.operations.filter(kind=Kind.UPDATE)
    return [update.request["former_plan_id"] for update in updates]


def catalog_document() -> dict[str, Any]:
    """What /v2/catalog answers: nothing in it is ever null or empty."""
    entries = [_offering(offering) for offering in _offered()]
    return {"services": [entry for entry in entries if entry["plans"]]}


def _offered() -> list[ServiceOffering]:
    rows = ServiceOffering.objects.filter(active=True).prefetch_related("plans")
    return list(rows)


def _offering(offering: ServiceOffering) -> dict[str, Any]:
    schemas = _schemas(ENGINES.get(offering.engine), bindable=offering.bindable)
    # A successor that shares its predecessor's credentials would rotate nothing.
    is_rotatable = offering.bindable and not find_configurable(offering.engine)
    plans = [plan for plan in offering.plans.all() if plan.active]
    entry: dict[str, Any] = {
        "id": offering.pk,
        "name": offering.name,
        "description": offering.description,
        "bindable": offering.bindable,
        "plan_updateable": offering.plan_updateable,
        "instances_retrievable": True,
        "bindings_retrievable": True,
        "allow_context_updates": True,
        "plans": [
            _plan(plan) | _present(schemas=schemas, binding_rotatable=is_rotatable)
            for plan in plans
        ],
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
    maintenance_info = plan.maintenance_version and _present(
        version=plan.maintenance_version, description=plan.maintenance_description
    )
    return entry | _present(maintenance_info=maintenance_info, metadata=plan.metadata)


def _schemas(engine: Engine | None, *, bindable: bool) -> dict[str, Any]:
    """The schemas of what an app developer may give with -c."""
    document = {}
    for resource, verbs in SCHEMAS.items():
        if resource == "service_binding" and not bindable:
            continue
        found = _present(**{v: schema_of(engine, name) for v, name in verbs.items()})
        if found:
            document[resource] = {v: {"parameters": s} for v, s in found.items()}
    return document


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class Complaint:
    """What a platform would refuse the whole catalog for."""

    row: ServiceOffering | ServicePlan | None
    field: str
    text: str


def complaints() -> list[Complaint]:
    """About every row that is in the document, and about the document itself."""
    offered = [row for row in _offered() if any(p.active for p in row.plans.all())]
    found = [complaint for row in offered for complaint in _complaints_about(row)]
    if not offered:
        text = "At least one active offering with an active plan is needed."
        found.append(Complaint(None, "", text))
    return found


def _complaints_about(offering: ServiceOffering) -> Iterator[Complaint]:
    yield from _wrong_fields(offering)
    engine = ENGINES.get(offering.engine)
    if engine is None:
        known = ", ".join(sorted(ENGINES))
        text = f"{offering.engine!r} is not one of {known}."
        yield Complaint(offering, "engine", text)
    for name in (name for verbs in SCHEMAS.values() for name in verbs.values()):
        for sentence in catalog_rules.schema(schema_of(engine, name) or _NONE):
            yield Complaint(offering, f"{name} of the engine", sentence)
    for plan in offering.plans.all():
        if plan.active:
            yield from _wrong_fields(plan)


_NONE = {"$schema": catalog_rules.DRAFTS[0]}


def _wrong_fields(row: ServiceOffering | ServicePlan) -> Iterator[Complaint]:
    try:
        row.full_clean()
    except ValidationError as error:
        for field, sentences in error.message_dict.items():
            yield from (Complaint(row, field, sentence) for sentence in sentences)
    if isinstance(row, ServicePlan):
        for name, sentence in plan_settings.mistakes(row):
            yield Complaint(row, f"settings: {name}", sentence)


def without_plans() -> list[ServiceOffering]:
    """Offerings that are active and yet not offered, for want of an active plan."""
    return [row for row in _offered() if not any(p.active for p in row.plans.all())]
