"""What the web processes of this app instance answer.

On the way of every request but health checks: it may cost microseconds.
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = frozenset(("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"))

_registry = CollectorRegistry()
_REQUESTS = Counter(
    "brokersite_http_requests",
    "Requests that were answered.",
    ("route", "method", "status"),
    registry=_registry,
)
_SECONDS = Histogram(
    "brokersite_http_request_duration_seconds",
    "From the first middleware to the answer.",
    ("route", "method"),
    buckets=LATENCIES_S,
    registry=_registry,
)


class TrafficMiddleware:
    """Count each answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started_at = time.perf_counter()
        response = self._get_response(request)
        match, took_s = request.resolver_match, time.perf_counter() - started_at
        route = match.route if match else ""
        note(route, request.method, response.status_code, took_s)
        return response


def note(route: str, method: str | None, status: int, took_s: float) -> None:
    """Count an answer."""
    count, observe = _series(route, method if method in METHODS else "other", status)
    count()
    observe(took_s)


@cache
def _series(
    route: str, method: str | None, status: int
) -> tuple[Callable[[], None], Callable[[float], None]]:
    """What counts such an answer; as many as routes, methods and statuses allow."""
    labels = (_label(route), method)
    counter = _REQUESTS.labels(*labels, str(status))
    return counter.inc, _SECONDS.labels(*labels).observe


def _label(route: str) -> str:
    """The route without ids; the console is one, and so is what has no route."""
    if not route:
        return "other"
    if route.startswith("admin/"):
        return "/admin/"
    path = route.removeprefix("^/?")
    for name in ("instance_id", "binding_id"):
        path = path.replace(f"<id:{name}>", f"{{{name}}}")
    return f"/{path}"


class Traffic(Collector):
    """Of all web processes of this app instance, whichever of them is asked."""

    def collect(self) -> Iterator[Metric]:
        registry = _registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        index = os.environ.get("CF_INSTANCE_INDEX", "0")
        for metric in registry.collect():
            marked = Metric(metric.name, metric.documentation, metric.type)
            for sample in metric.samples:
                if not sample.name.endswith("_created"):
                    labels = {**sample.labels, "instance_index": index}
                    marked.add_sample(sample.name, labels, sample.value)
            yield marked
