"""A login that is under way at a provider, remembered in the person's own session."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from instances import errors
from instances.logins import sessions
from instances.oauth.provider import Identity, Provider

KEY = "logins"
LIMIT_S = 600
MOST = 5
"""Tabs in which one may begin to log in at a time."""


@dataclass(frozen=True)
class Finished:
    identity: Identity
    target: str
    """What was wanted when the login began: never a word of the address."""


def begin(
    request: HttpRequest, provider: Provider, *, redirect_uri: str, target: str
) -> str:
    """The provider's address to go to. Raise LoginUnavailable."""
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    verifier = secrets.token_urlsafe(48)
    url = provider.authorization_url(
        redirect_uri=redirect_uri, state=state, nonce=nonce, verifier=verifier
    )
    begun = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "target": target,
        "redirect_uri": redirect_uri,
        "client_id": provider.client_id,
        "at": int(time.time()),
    }
    request.session[KEY] = [*request.session.get(KEY, []), begun][-MOST:]
    if not sessions.is_logged_in(request.session):
        # Anybody can begin: what comes to nothing is soon cleared away.
        request.session.set_expiry(LIMIT_S)
    return url


def target_of(request: HttpRequest, *, redirect_uri: str) -> str:
    """What the login that comes back was for. Raise LoginRefused if it is unknown."""
    target: str = _find(request, redirect_uri)["target"]
    return target


def finish(request: HttpRequest, provider: Provider, *, redirect_uri: str) -> Finished:
    """Take the provider's answer, once. Raise LoginRefused, LoginUnavailable."""
    begun = _find(request, redirect_uri)
    rest = [entry for entry in request.session[KEY] if entry != begun]
    request.session[KEY] = rest
    # At once: a second answer with this state finds nothing any more.
    request.session.save()
    refusal = request.GET.get("error", "")
    if refusal:
        raise errors.LoginRefused(
            "The login was cancelled, or not allowed.", detail=f"told {refusal[:60]!r}"
        )
    if begun["client_id"] != provider.client_id:
        raise errors.LoginRefused(detail="the login has begun with another client")
    identity = provider.exchange(
        code=request.GET.get("code", ""),
        redirect_uri=redirect_uri,
        nonce=begun["nonce"],
        verifier=begun["verifier"],
    )
    return Finished(identity, begun["target"])


def _find(request: HttpRequest, redirect_uri: str) -> dict[str, Any]:
    state = request.GET.get("state", "")
    for entry in request.session.get(KEY, []):
        is_same = constant_time_compare(entry["state"], state)
        is_young = time.time() < entry["at"] + LIMIT_S
        if is_same and is_young and entry["redirect_uri"] == redirect_uri:
            found: dict[str, Any] = entry
            return found
    raise errors.LoginRefused(
        "This login was not begun in this browser, or too long ago.",
        detail="the state is unknown",
    )
