"""UAA in miniature, with what Cloud Controller says of permissions, and a strict one.

A real HTTPS server. tests.cloud_controller has the lists of Cloud Controller's API.
"""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from instances.oauth import https
from tests.authority import Authority

HOST = "127.0.0.1"
KEY_SIZE = 2048


@dataclass
class Grant:
    """A code that somebody was given, for one client, one address, one challenge."""

    subject: str
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    is_used: bool = False


@dataclass
class IdentityProvider:
    """Start it with `with`. What a test changes counts at the next request."""

    clients: dict[str, str] = field(default_factory=dict)
    """Secrets by client id."""
    redirect_uris: set[str] = field(default_factory=set)
    authorities: dict[str, list[str]] = field(default_factory=dict)
    """Scopes of tokens for the client itself, by its id."""
    user: str = "anna"
    """Who is logged in at it in the browser; empty: who declines."""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What ID tokens say of them besides."""
    permissions: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """By subject and service instance, as Cloud Controller answers."""
    alter: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    sign: Callable[[dict[str, Any]], str] | None = None
    fail: set[str] = field(default_factory=set)
    """Paths, by their beginning, that are answered 500."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    """Subjects by access token."""
    issued: list[str] = field(default_factory=list)
    """Every code, and every token, that a log must not have."""

    def __post_init__(self) -> None:
        self.grants: dict[str, Grant] = {}
        self.new_key()

    def new_key(self) -> None:
        name = secrets.token_hex(4)
        self.key = RSAKey.generate_key(KEY_SIZE, {"kid": name, "use": "sig"})

    def __enter__(self) -> "IdentityProvider":
        authority = Authority()
        pair = authority.server(HOST)
        self.ca = authority.ca
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_text(pair.certificate + pair.key)
            context.load_cert_chain(path)
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # The browser's part

    def visit(self, url: str) -> str:
        """Follow a redirect to the provider as the user's browser does; where it leads.

        Asserts that the provider has found nothing wrong with it.
        """
        assert url.startswith(f"{self.url}/oauth/authorize?"), url
        answer = https.get(url, ca=self.ca)
        assert answer.status == 200, answer
        location: str = answer.document["location"]
        return location

    # The server's

    def authorize(self, query: dict[str, str]) -> dict[str, Any]:
        assert query["response_type"] == "code"
        assert query["client_id"] in self.clients, query["client_id"]
        assert query["redirect_uri"] in self.redirect_uris, query["redirect_uri"]
        assert "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        assert len(query["state"]) >= 32 and len(query["nonce"]) >= 32
        told = {"state": query["state"]}
        if self.user:
            code = self._issue()
            self.grants[code] = Grant(
                self.user,
                query["client_id"],
                query["redirect_uri"],
                query["code_challenge"],
                query["nonce"],
            )
            told["code"] = code
        else:
            told["error"] = "access_denied"
        return {"location": f"{query['redirect_uri']}?{urlencode(told)}"}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        kind, _, encoded = authorization.partition(" ")
        pair = base64.b64decode(encoded).decode() if kind == "Basic" else ":"
        client_id, _, secret = (unquote(part) for part in pair.partition(":"))
        if not secret or self.clients.get(client_id) != secret:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "client_credentials":
            return self.client_token(client_id)
        grant = self.grants.get(form.get("code", ""))
        verifier = form.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        if (
            grant is None
            or grant.is_used
            or grant.client_id != client_id
            or grant.redirect_uri != form.get("redirect_uri")
            or form.get("grant_type") != "authorization_code"
            or grant.challenge.encode() != base64.urlsafe_b64encode(digest).rstrip(b"=")
        ):
            return 400, {"error": "invalid_grant"}
        grant.is_used = True
        access = self._issue()
        self.tokens[access] = grant.subject
        id_token = self._id_token(grant)
        self.issued.append(id_token)
        return 200, {
            "access_token": access,
            "token_type": "bearer",
            "id_token": id_token,
            "refresh_token": self._issue(),
        }

    def client_token(self, client_id: str) -> tuple[int, Any]:
        access = self._issue()
        self.tokens[access] = client_id
        scope = " ".join(self.authorities.get(client_id, ["uaa.none"]))
        return 200, {"access_token": access, "token_type": "bearer", "scope": scope}

    def answer(
        self, path: str, query: dict[str, str], authorization: str
    ) -> tuple[int, Any] | None:
        """To any other GET; None: there is nothing."""
        return None

    def _id_token(self, grant: Grant) -> str:
        claims = {
            "iss": self.issuer,
            "sub": f"guid-of-{grant.subject}",
            "aud": [grant.client_id],
            "exp": int(time.time()) + 600,
            "iat": int(time.time()),
            "nonce": grant.nonce,
            "user_name": grant.subject,
            **self.people.get(grant.subject, {}),
        }
        claims = self.alter(claims) if self.alter else claims
        return (self.sign or self.signed)(claims)

    def signed(self, claims: dict[str, Any], key: Any = None) -> str:
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key)

    @property
    def issuer(self) -> str:
        return f"{self.url}/oauth/token"

    def configuration(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/oauth/authorize",
            "token_endpoint": f"{self.url}/oauth/token",
            "jwks_uri": f"{self.url}/token_keys",
        }

    def keys(self) -> dict[str, Any]:
        public = self.key.as_dict(private=False)
        # As UAA has them, one with a secret that is shared among them.
        return {"keys": [{**public, "value": "PEM"}, {"kty": "MAC", "kid": "old"}]}

    def permissions_of(self, guid: str, authorization: str) -> tuple[int, Any]:
        subject = self.tokens.get(authorization.removeprefix("Bearer "))
        if subject is None:
            return 401, {"errors": [{"title": "CF-InvalidAuthToken"}]}
        found = self.permissions.get((subject, guid))
        return (200, found) if found else (404, {"errors": []})

    def _issue(self) -> str:
        made = f"canary{secrets.token_hex(16)}"
        self.issued.append(made)
        return made


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = self._wanted()
            said = self.headers.get("Authorization", "")
            if path.endswith("/.well-known/openid-configuration"):
                self._answer(200, provider.configuration())
            elif path == "/token_keys":
                self._answer(200, provider.keys())
            elif path == "/oauth/authorize":
                self._answer(200, provider.authorize(query))
            elif path.startswith("/v3/service_instances/"):
                guid = path.split("/")[3]
                self._answer(*provider.permissions_of(guid, said))
            else:
                self._answer(*(provider.answer(path, query, said) or (404, {})))

        def do_POST(self) -> None:
            self._wanted()
            length = int(self.headers["Content-Length"])
            form = _flat(self.rfile.read(length).decode())
            said = self.headers.get("Authorization", "")
            self._answer(*provider.token(form, said))

        def _wanted(self) -> tuple[str, dict[str, str]]:
            parts = urlsplit(self.path)
            provider.asked.append((parts.path, dict(self.headers)))
            return parts.path, _flat(parts.query)

        def _answer(self, status: int, document: Any) -> None:
            if any(self.path.startswith(path) for path in provider.fail):
                status, document = 500, {"error": "down"}
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in provider.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def _flat(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
