"""How long a browser stays logged in, and how all of a person's are logged out."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

PLATFORM = "platform_user"
"""Where a session has the platform's user: see instances.dashboard.access."""
ENDED = "ended"
NOTE_EVERY_S = 60
_BEGAN, _SEEN = "began_at", "seen_at"


def begin(request: HttpRequest) -> None:
    """Somebody has just logged in. The session's key is a new one (SECURITY S51)."""
    mark(request.session)
    request.session.set_expiry(None)  # as the settings say
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def mark(session: Any) -> None:
    session[_BEGAN] = session[_SEEN] = int(time.time())


def keep(request: HttpRequest) -> None:
    """End the session if it was idle, or is too old; else note that it is used."""
    session = request.session
    if not session.session_key or not is_logged_in(session):
        return
    now = int(time.time())
    if _BEGAN not in session or _SEEN not in session:  # of an earlier release
        mark(session)
    elif now - session[_SEEN] >= settings.SESSION_IDLE_S:
        session.flush()
        session[ENDED] = "idle"
    elif now - session[_BEGAN] >= settings.SESSION_COOKIE_AGE:
        session.flush()
        session[ENDED] = "old"
    elif now - session[_SEEN] >= NOTE_EVERY_S and _is_of_a_person(request):
        session[_SEEN] = now


def log_out_everywhere(user: Any) -> int:
    """End all of the user's sessions; return how many there were."""
    ended = [
        row.pk
        for row in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if row.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(pk__in=ended).delete()
    return len(ended)


def is_logged_in(session: Any) -> bool:
    return SESSION_KEY in session or PLATFORM in session


def _is_of_a_person(request: HttpRequest) -> bool:
    """Not what a page that lies open fetches by itself, to be up to date."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" or request.method not in ("GET", "HEAD")
