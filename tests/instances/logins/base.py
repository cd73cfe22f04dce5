"""A provider of identities that runs, and the settings that lead to it."""

import logging
from typing import Any
from urllib.parse import urlsplit

from django.test import Client, override_settings

from instances.oauth import provider as module
from tests.identity_provider import IdentityProvider

SITE = "https://broker.example.com"
SECRET = "canary-secret of/the client+1"  # what has to be encoded in a header


class WithProvider:
    """For a TestCase: self.provider runs, self.logged is what any logger was told."""

    def setUp(self) -> None:
        super().setUp()
        module.forget()
        self.provider = self.enterContext(IdentityProvider())
        self.logged = self._listen()
        self.enterContext(
            override_settings(
                PUBLIC_URL=SITE,
                DASHBOARD_URL=f"{SITE}/dashboard",
                ALLOWED_HOSTS=["broker.example.com", "testserver"],
            )
        )

    def _listen(self) -> list[str]:
        lines: list[str] = []
        handler = logging.Handler(logging.DEBUG)
        handler.emit = lambda record: lines.append(record.getMessage())
        root = logging.getLogger()
        root.addHandler(handler)
        self.addCleanup(root.removeHandler, handler)
        return lines

    def follow(self, answer: Any, client: Client | None = None) -> Any:
        """The browser's way through the provider and back."""
        assert answer.status_code == 302, (answer.status_code, answer.content)
        return self.back(self.provider.visit(answer["Location"]), client)

    def back(self, location: str, client: Client | None = None) -> Any:
        assert location.startswith(f"{SITE}/"), location
        parts = urlsplit(location)
        return (client or self.client).get(f"{parts.path}?{parts.query}")

    def assert_nothing_leaked(self, *answers: Any) -> None:
        """SECURITY S20: no code, token or secret in a log, a page or a session."""
        texts = [*self.logged, *(str(a.content) for a in answers)]
        texts.append(str(dict(self.client.session)))
        for secret in (*self.provider.issued, SECRET):
            found = len(secret) > 5 and any(secret in text for text in texts)
            assert not found, secret
