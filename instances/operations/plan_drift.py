"""Instances that run with something else than their plan says by now.

Editing a plan changes no container: what is behind stays as it was made.
"""

from collections.abc import Iterator

from django.db.models import F, Q

from instances.models import ServiceInstance
from instances.models.container import MADE_WITH, is_same
from instances.models.disk import HELD_TO


def is_behind() -> Q:
    """Matches the instances that are ready and behind their plan."""
    differs = Q()
    for name in MADE_WITH:
        differs |= ~Q(**{f"container__{name}": F(f"plan__{name}")})
    for name in HELD_TO:
        same = Q(**{f"container__{name}": F(f"plan__{name}")})
        # To a database, no limit is not the same as no limit.
        both_none = Q(**{f"container__{name}": None, f"plan__{name}": None})
        differs |= ~(same | both_none)
    is_older = ~Q(plan__maintenance_version="") & ~Q(
        maintenance_version=F("plan__maintenance_version")
    )
    has_container = Q(container__isnull=False)
    is_ready = Q(state=ServiceInstance.State.READY)
    return is_ready & (is_older | (has_container & differs))


def differences(instance: ServiceInstance) -> list[tuple[str, object, object]]:
    """What it is behind in, as (label, what it has, what its plan says)."""
    plan, container = instance.plan, instance.container
    found: list[tuple[str, object, object]] = []
    if instance.state != ServiceInstance.State.READY:
        return []
    wanted = plan.maintenance_version
    if wanted and instance.maintenance_version != wanted:
        version = instance.maintenance_version or "none"
        found.append(("maintenance version", version, wanted))
    for name in (*MADE_WITH, *HELD_TO) if container else ():
        has, says = getattr(container, name), getattr(plan, name)
        label = str(plan._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
        if isinstance(has, dict):
            found += _settings(has, says)
        elif has != says:
            found.append((label, _shown(has), _shown(says)))
    return found


def _settings(
    has: dict[str, object], says: dict[str, object]
) -> Iterator[tuple[str, object, object]]:
    for name in sorted({*has, *says}):
        if not is_same(has.get(name), says.get(name)):
            yield name, has.get(name, "its default"), says.get(name, "its default")


def _shown(value: object) -> object:
    return "no limit" if value is None else value
