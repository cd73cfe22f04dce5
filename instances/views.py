"""Readiness: whether this site can do its work now."""

from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, JsonResponse

from instances.models import Worker


def ready(request: HttpRequest) -> JsonResponse:
    """200 if the database answers, else 503; the worker is told of, and no more.

    A router sends nothing to what is not ready: without a worker, requests are still
    recorded and answered, by this instance as well as by any other.
    """
    parts = _parts()
    return JsonResponse(parts, status=200 if parts["database"] == "ok" else 503)


def worker_ready(request: HttpRequest) -> JsonResponse:
    """200 if the database answers and a worker is alive, else 503, for monitoring."""
    parts = _parts()
    return JsonResponse(parts, status=200 if set(parts.values()) == {"ok"} else 503)


def _parts() -> dict[str, str]:
    try:
        is_alive = Worker.objects.alive().exists()
    except DatabaseTrouble:
        return {"database": "does not answer", "worker": "unknown"}
    worker = "ok" if is_alive else "none has been heard of for 30 seconds"
    return {"database": "ok", "worker": worker}
