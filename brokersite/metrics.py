"""/metrics for Prometheus, behind a login of its own."""

import base64
import binascii
import hashlib
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from brokersite import VERSION
from brokersite.traffic import Traffic
from instances.guesses import Guesses
from instances.metrics import Broker

guesses = Guesses()
"""Apart from the platforms': who guesses here slows down nobody there."""
_registry = CollectorRegistry()
_registry.register(Broker(VERSION))
_registry.register(Traffic())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """404 as long as no password is configured: then there is nothing to guess."""
    if not settings.METRICS_PASSWORD:
        return HttpResponseNotFound("Set METRICS_PASSWORD to have metrics.\n")
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = HttpResponse(encode(_registry), content_type=content_type)
    response["Cache-Control"] = "no-store"
    return response


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to whoever is not logged in, later and later for one who guesses.

    As with platforms, the right password is served all the same (osbapi).
    """
    sent = request.headers.get("Authorization", "")
    if _is_right(sent):
        return None
    source = str(request.META.get("REMOTE_ADDR"))
    wait_s = guesses.wait_s(source)
    if wait_s:
        response = HttpResponse("Too many wrong passwords.\n", status=429)
        response["Retry-After"] = str(wait_s)
        return response
    if sent:
        guesses.note(source)
    response = HttpResponse("A user name and password are required.\n", status=401)
    response["WWW-Authenticate"] = 'Basic realm="brokersite metrics", charset="UTF-8"'
    return response


def _is_right(header: str) -> bool:
    kind, _, encoded = header.partition(" ")
    try:
        login = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    wanted = f"{settings.METRICS_USERNAME}:{settings.METRICS_PASSWORD}".encode()
    # Digests: of texts, compare_digest shows how long they are.
    is_same = secrets.compare_digest(*map(_digest, (login, wanted)))
    return kind.lower() == "basic" and is_same


def _digest(login: bytes) -> bytes:
    return hashlib.sha256(login).digest()
