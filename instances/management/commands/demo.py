"""manage.py demo: walk through a running broker as a platform and an app do."""

import os
import secrets
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from instances.management.platform import Platform, PlatformError
from instances.management.walk import Walk
from instances.models import BrokerCredential


class Command(BaseCommand):
    help = "Create, bind, use, unbind and delete a database at a running broker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=settings.PUBLIC_URL)
        parser.add_argument(
            "--username", default=os.environ.get("BROKER_USERNAME") or "broker"
        )
        parser.add_argument(
            "--password",
            default=os.environ.get("BROKER_PASSWORD", ""),
            help="without it, a login is made for the walk and removed again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # As an exception, so that the walk cleans up behind itself.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        started_at = time.monotonic()
        with self._login(options["username"], options["password"]) as login:
            self.stdout.write(f"A walk through {options['url']} as {login[0]}:")
            try:
                Walk(Platform(options["url"], *login), self.stdout.write).run()
            except PlatformError as error:
                raise CommandError(str(error)) from error
            except KeyboardInterrupt:
                raise CommandError("Interrupted.", returncode=130) from None
        taken_s = time.monotonic() - started_at
        self.stdout.write(f"All of it went as it should, in {taken_s:.1f} s.")

    @contextmanager
    def _login(self, username: str, password: str) -> Iterator[tuple[str, str]]:
        """The given login, or one that lasts as long as the walk."""
        if password:
            yield username, password
            return
        password = secrets.token_urlsafe(24)
        credential = BrokerCredential(username=f"demo-{secrets.token_hex(4)}")
        credential.set_password(password)
        credential.save()
        self.stdout.write(
            f"Made the broker login {credential} for this walk, as BROKER_PASSWORD"
            " is not set."
        )
        try:
            yield credential.username, password
        finally:
            credential.delete()
            self.stdout.write(f"Removed the broker login {credential}.")
