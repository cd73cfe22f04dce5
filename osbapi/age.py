"""How old a request is: it may have waited before this process could read it.

Cloud Foundry's router says when a request came to it, in milliseconds. Its clock and
the database's are taken to differ by less than the minute that a platform waits before
it deletes what it has heard nothing of.
"""

import re
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from rest_framework.request import Request

from instances import errors
from instances.models.tombstone import KEPT

AHEAD = timedelta(minutes=1)
IMPLAUSIBLE = timedelta(days=1)
"""Nothing waits as long: then it is one of the clocks."""
_MILLISECONDS = re.compile(r"\d{12,14}")


def asked_at(request: Request) -> datetime | None:
    """When it was sent; None if it does not say so, or cannot be believed.

    Raise Conflict for one that nobody can still be waiting for. Not for one of a
    minute or two: a clock that is so much behind would have all of them refused.
    """
    text = request.headers.get("X-Request-Start", "")
    if not _MILLISECONDS.fullmatch(text):
        return None
    at = datetime.fromtimestamp(int(text) / 1000, UTC)
    age = timezone.now() - at
    if not -AHEAD < age < IMPLAUSIBLE:
        return None
    if age > KEPT:
        raise errors.Conflict(
            "This request has waited too long to be served: send it again.",
            detail=f"X-Request-Start says {at}, {age} ago",
        )
    return at
