"""A Cloud Controller that runs, and the settings that lead to it."""

import logging

from django.test import override_settings

from instances.oauth import provider
from tests.cloud_controller import SECRET, CloudController


class WithCloudController:
    """For a TestCase: self.controller runs; self.logged is what any logger was told."""

    def setUp(self) -> None:
        super().setUp()
        provider.forget()
        self.controller = self.enterContext(CloudController())
        self.enterContext(
            override_settings(CLOUD_CONTROLLER=self.controller.settings())
        )
        self.logged: list[str] = []
        handler = logging.Handler(logging.DEBUG)
        handler.emit = lambda record: self.logged.append(record.getMessage())
        root = logging.getLogger()
        root.addHandler(handler)
        self.addCleanup(root.removeHandler, handler)

    def assert_nothing_leaked(self, *texts: str) -> None:
        """SECURITY S20: no token and no secret in what is logged, kept or shown."""
        for secret in (*self.controller.issued, SECRET):
            assert not [text for text in (*self.logged, *texts) if secret in text]
