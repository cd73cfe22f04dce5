"""HTTP Basic for platforms: a slow hash, computed once per login and process."""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from django.contrib.auth.hashers import check_password, make_password
from rest_framework import exceptions
from rest_framework.authentication import BasicAuthentication
from rest_framework.request import Request

from instances.models import BrokerCredential

REMEMBERED = 64
_UNKNOWN = make_password(secrets.token_urlsafe(16), hasher="scrypt")


@dataclass(frozen=True)
class Platform:
    """Who is logged in, for DRF's permission check."""

    username: str
    is_authenticated: bool = True


class PlatformAuthentication(BasicAuthentication):
    """Raise AuthenticationFailed unless an active BrokerCredential matches."""

    www_authenticate_realm = "brokersite"

    def authenticate(self, request: Request) -> tuple[Platform, None]:
        found = super().authenticate(request)
        if found is None:
            raise exceptions.NotAuthenticated("A user name and password are required.")
        return found

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[Platform, None]:
        stored = BrokerCredential.find_hash(userid)
        # An unknown name costs as much as a wrong password (SECURITY S27).
        matches = _verify(password, stored or _UNKNOWN)
        if stored is None or not matches:
            raise exceptions.AuthenticationFailed("The user name or password is wrong.")
        return Platform(userid), None


class _Verified:
    """Remember which password opened which hash, as keyed digests in memory.

    The hash is read from the database at every request, so that a changed or
    withdrawn login is refused at once.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._digests: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def _digest(self, password: str, stored: str) -> bytes:
        text = f"{stored}\0{password}".encode()
        return hmac.new(self._key, text, hashlib.sha256).digest()

    def knows(self, password: str, stored: str) -> bool:
        with self._lock:
            return self._digest(password, stored) in self._digests

    def remember(self, password: str, stored: str) -> None:
        with self._lock:
            self._digests[self._digest(password, stored)] = None
            while len(self._digests) > REMEMBERED:
                self._digests.popitem(last=False)


_verified = _Verified()
# Guessing costs one core at most; whoever is remembered does not wait for it.
_hashing = threading.Lock()


def _verify(password: str, stored: str) -> bool:
    if _verified.knows(password, stored):
        return True
    with _hashing:
        matches = check_password(password, stored)
    if matches:
        _verified.remember(password, stored)
    return matches
