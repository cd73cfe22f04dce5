"""What Prometheus is told of this broker, computed from the rows when it asks.

So every web process says the same, and the workers need no door of their own. The
number of queries does not depend on the rows. docs/metrics.md lists what there is.
"""

import logging
import platform
from collections.abc import Iterator

import django
from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.registry import Collector

from instances.metrics import (
    backups,
    databases,
    hosts,
    operations,
    reconcile,
    workers,
)
from instances.metrics.families import gauge

logger = logging.getLogger(__name__)


class Broker(Collector):
    """All that the rows say, and whether they could be read at all."""

    def __init__(self, version: str) -> None:
        self._version = version

    def collect(self) -> Iterator[Metric]:
        build = gauge(
            "build_info",
            "The release that answers; the value is always 1.",
            "version",
            "python_version",
            "django_version",
        )
        versions = (self._version, platform.python_version(), django.get_version())
        build.add_metric(versions, 1)
        yield build
        try:
            found = list(_from_rows())
        except DatabaseError as error:
            logger.warning("no metrics of the rows: %s", error)
            found = []
        is_up = gauge("database_up", "Whether the broker's own database answered.")
        is_up.add_metric((), bool(found))
        yield is_up
        yield from found

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []


def _from_rows() -> Iterator[Metric]:
    for part in (operations, databases, hosts, reconcile, backups, workers):
        yield from part.collect()
