"""HTTP Basic for platforms: the right password at once, wrong ones slowly."""

import hashlib
import secrets
import threading
from dataclasses import dataclass
from functools import partial

from django.contrib.auth.hashers import check_password, make_password
from rest_framework import exceptions
from rest_framework.authentication import BasicAuthentication
from rest_framework.request import Request

from instances.guesses import guesses
from instances.models import BrokerCredential
from osbapi.fresh import Fresh

# Guessing costs one core at most.
_hashing = threading.Lock()
_UNKNOWN = make_password(secrets.token_urlsafe(16), hasher="scrypt")


@dataclass(frozen=True)
class Platform:
    """Who is logged in, for DRF's permission check."""

    username: str
    is_authenticated: bool = True


known: Fresh[Platform] = Fresh()
"""Who was let in a moment ago, by the key of the header that was sent."""
_SALT = secrets.token_bytes(32)


def key_of(header: str) -> bytes:
    """A digest of this process alone: the memory holds no password longer."""
    sent = header.encode(errors="surrogatepass")
    return hashlib.blake2b(sent, key=_SALT, digest_size=32).digest()


class PlatformAuthentication(BasicAuthentication):
    """Raise AuthenticationFailed unless an active BrokerCredential matches."""

    www_authenticate_realm = "brokersite"

    def authenticate(self, request: Request) -> tuple[Platform, None]:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        return known.get(key_of(header), partial(self._look_up, request)), None

    def _look_up(self, request: Request) -> Platform:
        found = super().authenticate(request)
        if found is None:
            raise exceptions.NotAuthenticated("A user name and password are required.")
        platform: Platform = found[0]
        return platform

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[Platform, None]:
        credential = BrokerCredential.find_active(userid)
        if credential is None or not credential.knows(password):
            source = "" if request is None else str(request.META.get("REMOTE_ADDR"))
            _check_slowly(credential, password, source)
        return Platform(userid), None


def _check_slowly(
    credential: BrokerCredential | None, password: str, source: str
) -> None:
    """Raise AuthenticationFailed, or Throttled unseen after too many wrong ones.

    Whoever guesses shuts nobody out: a platform's password is known without this.
    """
    wait_s = guesses.wait_s(source)
    if wait_s:
        raise exceptions.Throttled(wait_s, "Too many wrong passwords.")
    # An unknown name costs as much as a wrong password (SECURITY S27).
    stored = _UNKNOWN if credential is None else credential.password_hash
    with _hashing:
        matches = check_password(password, stored)
    if credential is None or not matches:
        guesses.note(source)
        raise exceptions.AuthenticationFailed("The user name or password is wrong.")
    credential.remember(password)
