"""What reconciliation has found and could not settle."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count
from prometheus_client import Metric

from instances.metrics.families import gauge
from instances.models import Container, DockerHost, Finding


def collect() -> Iterator[Metric]:
    """Take three queries."""
    findings = gauge(
        "reconcile_findings",
        "Differences between a Docker host and the rows that stand.",
        *("host", "kind"),
    )
    lost = gauge(
        "service_instances_lost", "Those whose container is not there.", "host"
    )
    braked = gauge(
        "host_braked", "Whether so much is missing that an operator is asked.", "host"
    )
    standing = _standing()
    rows = Container.objects.filter(
        state=Container.State.IN_USE, lost_at__isnull=False, instance__isnull=False
    )
    gone = dict(rows.order_by().values_list("host").annotate(Count("pk")))
    hosts = DockerHost.objects.order_by("name").values_list("pk", "name", "braked_at")
    for pk, name, braked_at in hosts:
        braked.add_metric((name,), braked_at is not None)
        lost.add_metric((name,), gone.get(pk, 0))
        for kind in Finding.Kind:
            findings.add_metric((name, kind), standing[pk, kind])
    yield from (findings, lost, braked)


def _standing() -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    rows = Finding.objects.order_by().values_list("host", "kind")
    for host, kind, number in rows.annotate(Count("pk")):
        found[host, kind] = number
    return found
