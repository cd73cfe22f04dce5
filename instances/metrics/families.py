"""Metrics with this product's prefix."""

from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

PREFIX = "brokersite_"
MIB = 2**20


def gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, help_text, labels=labels)


def counter(name: str, help_text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, help_text, labels=labels)


def histogram(name: str, help_text: str, *labels: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(PREFIX + name, help_text, labels=labels)


def add_moment(
    family: GaugeMetricFamily, at: datetime | None, labels: tuple[str, ...] = ()
) -> None:
    """As Unix time, of which Prometheus makes an age; nothing if it never was."""
    if at is not None:
        family.add_metric(labels, at.timestamp())
