"""Readiness: whether this site can do its work now."""

from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, JsonResponse

from instances.models import Worker


def ready(request: HttpRequest) -> JsonResponse:
    """200 if the database answers and a worker is alive, else 503 and what is not."""
    parts = {"database": "ok", "worker": "ok"}
    try:
        if not Worker.objects.alive().exists():
            parts["worker"] = "none has been heard of for 30 seconds"
    except DatabaseTrouble:
        parts = {"database": "does not answer", "worker": "unknown"}
    is_ready = set(parts.values()) == {"ok"}
    return JsonResponse(parts, status=200 if is_ready else 503)
