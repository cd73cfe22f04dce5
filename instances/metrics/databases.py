"""Service instances, and the standby containers that wait for the next ones."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count
from prometheus_client import Metric

from instances.metrics.families import gauge
from instances.models import Container, ServiceInstance, ServicePlan

_State = ServiceInstance.State
STATES = [state for state in _State if state != _State.GONE]
STANDBY_STATES = (Container.State.STANDBY, Container.State.STARTING)


def collect() -> Iterator[Metric]:
    """Take four queries."""
    plans = list(ServicePlan.objects.select_related("offering").order_by("pk"))
    yield _instances(plans)
    yield _orphans()
    yield from _standbys(plans)


def _orphans() -> Metric:
    family = gauge(
        "service_instances_orphaned", "Those that the platform does not know any more."
    )
    rows = ServiceInstance.objects.filter(orphaned_at__isnull=False, state__in=STATES)
    family.add_metric((), rows.count())
    return family


def _instances(plans: list[ServicePlan]) -> Metric:
    family = gauge(
        "service_instances",
        "Service instances that are there.",
        *("offering", "plan", "engine", "state"),
    )
    rows = ServiceInstance.objects.order_by().filter(state__in=STATES)
    found: Counter[tuple[str, str]] = Counter()
    for row in rows.values("plan_id", "state").annotate(number=Count("pk")):
        found[row["plan_id"], row["state"]] = row["number"]
    for plan in plans:
        offering = plan.offering
        for state in STATES:
            labels = (offering.name, plan.name, offering.engine, state)
            family.add_metric(labels, found[plan.pk, state])
    return family


def _standbys(plans: list[ServicePlan]) -> Iterator[Metric]:
    wanted = gauge(
        "standbys_wanted",
        "Standby containers that a plan asks for.",
        "offering",
        "plan",
    )
    there = gauge(
        "standbys", "Standby containers that are there.", "offering", "plan", "state"
    )
    rows = Container.objects.standbys().order_by().values("plan_id", "state")
    found: Counter[tuple[str | None, str]] = Counter()
    for row in rows.annotate(number=Count("pk")):
        found[row["plan_id"], row["state"]] = row["number"]
    for plan in plans:
        labels = (plan.offering.name, plan.name)
        is_offered = plan.active and plan.offering.active
        wanted.add_metric(labels, plan.standby if is_offered else 0)
        for state in STANDBY_STATES:
            there.add_metric((*labels, state), found[plan.pk, state])
    yield from (wanted, there)
