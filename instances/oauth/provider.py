"""A provider of identities: OpenID Connect Core 1.0, and tokens for the site itself."""

import base64
import hashlib
import re
import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from instances import errors
from instances.oauth import https

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
"""By a key that is published: neither "none" nor a secret that is shared."""
LEEWAY_S = 60
KEPT_S = 3600.0
AGAIN_S = 30.0
"""A token that names an unknown key has the keys read anew, so often at most."""
_TOKEN = re.compile(r"[\w.~+/=-]{1,20000}", re.A)
"""RFC 6750, 2.1: nothing that could end a header."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Identity:
    """Who has logged in: what the ID token says, and a token to ask others with."""

    issuer: str
    claims: dict[str, Any]
    access_token: str = field(repr=False)

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])

    def name(self, *claims: str) -> str:
        """The first of these that is there, else the subject."""
        found = [self.claims.get(claim) for claim in claims]
        texts = [text for text in found if isinstance(text, str) and text]
        return [*texts, self.subject][0][:150]


@dataclass(frozen=True)
class ClientToken:
    """What the site itself may ask others with."""

    value: str = field(repr=False)
    scopes: frozenset[str]


@dataclass(frozen=True)
class Provider:
    """Every method raises LoginUnavailable if it does not answer."""

    address: str
    """Below it is .well-known/openid-configuration."""
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    ca: str = field(repr=False)
    issuer: str = ""
    """What its configuration and tokens must name; empty: what the former says."""

    def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        endpoint = self._configuration()["authorization_endpoint"]
        sent = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(sent)}"

    def exchange(
        self, *, code: str, redirect_uri: str, nonce: str, verifier: str
    ) -> Identity:
        """Redeem the code. Raise LoginRefused."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        tokens = self._tokens(form)
        id_token, access = tokens.get("id_token"), tokens.get("access_token")
        if not (isinstance(id_token, str) and isinstance(access, str)):
            raise _refused("the token endpoint gives no id_token: scope openid?")
        claims = self._claims(id_token, nonce)
        return Identity(self._issuer(), claims, access)

    def client_token(self) -> ClientToken:
        """RFC 6749, Client Credentials Grant. Raise LoginRefused."""
        tokens = self._tokens({"grant_type": "client_credentials"})
        value, scope = tokens.get("access_token"), tokens.get("scope")
        if not (isinstance(value, str) and _TOKEN.fullmatch(value)):
            raise _refused("the token endpoint gives no access_token")
        # UAA says always what the client has been given.
        scopes = scope.split() if isinstance(scope, str) else []
        return ClientToken(value, frozenset(scopes))

    def _tokens(self, form: dict[str, str]) -> dict[str, Any]:
        endpoint = self._configuration()["token_endpoint"]
        # UAA decodes the pair only where it is told that it is encoded.
        headers = {"Authorization": self._basic(), "X-CF-Encoded-Credentials": "true"}
        answer = https.post(endpoint, form, ca=self.ca, headers=headers)
        if answer.status >= 500 or answer.status == 429:
            raise errors.LoginUnavailable(detail=f"{endpoint}: {answer.status}")
        if answer.status != 200:
            said = _word(answer.document.get("error"))
            raise _refused(f"the token endpoint answers {answer.status} {said}")
        return answer.document

    def _basic(self) -> str:
        """RFC 6749, 2.3.1: both are encoded as in a form before they are joined."""
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _issuer(self) -> str:
        return self.issuer or str(self._configuration()["issuer"])

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """OpenID Connect Core 1.0, ID Token Validation."""
        needed = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._issuer()},
            aud={"essential": True, "value": self.client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(id_token).claims
            needed.validate(claims)
        except (JoseError, ValueError) as error:
            raise _refused(f"the ID token: {type(error).__name__} {error}") from error
        party = claims.get("azp", self.client_id)
        if party != self.client_id or not isinstance(claims["sub"], str):
            raise _refused("the ID token is another client's")
        return claims

    def _decoded(self, id_token: str) -> jwt.Token:
        """By the keys that are known, else by those of now: providers rotate them."""
        try:
            return jwt.decode(id_token, self._keys(KEPT_S), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            return jwt.decode(id_token, self._keys(AGAIN_S), algorithms=ALGORITHMS)

    def _keys(self, kept_s: float) -> KeySet:
        uri = self._configuration()["jwks_uri"]
        keys = _documents.get(uri, self.ca, kept_s).get("keys")
        usable = [
            {name: key[name] for name in _KEY_FIELDS if name in key}
            for key in (keys if isinstance(keys, list) else [])
            if isinstance(key, dict) and key.get("kty") in ("RSA", "EC")
        ]
        return KeySet.import_key_set({"keys": usable})

    def _configuration(self) -> dict[str, Any]:
        url = f"{self.address.rstrip('/')}/.well-known/openid-configuration"
        document = _documents.get(url, self.ca, KEPT_S)
        for name in (*_ENDPOINTS, "issuer"):
            if not str(document.get(name)).startswith("https://"):
                raise errors.LoginUnavailable(detail=f"{url} names no https {name}")
        if self.issuer and document["issuer"] != self.issuer:
            raise errors.LoginUnavailable(detail=f"{url} is of another issuer")
        return document


_KEY_FIELDS = ("kty", "use", "alg", "kid", "n", "e", "crv", "x", "y")


class _Documents:
    """What providers publish, kept for some time by each process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def get(self, url: str, ca: str, kept_s: float) -> dict[str, Any]:
        """Raise LoginUnavailable."""
        kept = self._kept.get((url, ca))
        if kept and monotonic() < kept[0] + kept_s:
            return kept[1]
        answer = https.get(url, ca=ca)
        if answer.status != 200 or not answer.document:
            raise errors.LoginUnavailable(detail=f"{url}: {answer.status}")
        with self._lock:
            self._kept[url, ca] = monotonic(), answer.document
        return answer.document

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


_documents = _Documents()


def forget() -> None:
    """Have what providers publish read anew."""
    _documents.clear()


def challenge(verifier: str) -> str:
    """RFC 7636, S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _refused(detail: str) -> errors.LoginRefused:
    return errors.LoginRefused("The login could not be verified.", detail=detail)


def _word(value: Any) -> str:
    """An error's code, if it looks like one: the rest may repeat what was sent."""
    is_code = isinstance(value, str) and value.replace("_", "").isalpha()
    return value[:60] if is_code else ""
