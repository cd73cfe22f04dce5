"""manage.py bootstrap: make an empty installation usable; harmless on a used one."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from instances.models import ServiceOffering
from instances.operations import installation


class Command(BaseCommand):
    help = "Migrate, load the catalog, make the first host, operator and login."

    def handle(self, *args: Any, **options: Any) -> None:
        settings.STATE_DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
        call_command("migrate", interactive=False, verbosity=0)
        installation.check_readable()
        # Once only: what operators change afterwards is theirs.
        if not ServiceOffering.objects.exists():
            call_command("loadcatalog", Path(settings.BASE_DIR) / "catalog.yml")
        host = installation.ensure_host(**settings.FIRST_DOCKER_HOST)
        self.stdout.write(f"Docker host {host}: {host.url}")
        self._login(
            "Operator", "ADMIN", default="admin", ensure=installation.ensure_operator
        )
        self._login(
            "Broker login",
            "BROKER",
            default="broker",
            ensure=installation.ensure_broker_login,
        )

    def _login(self, what: str, prefix: str, *, default: str, ensure: Any) -> None:
        username = os.environ.get(f"{prefix}_USERNAME") or default
        given = os.environ.get(f"{prefix}_PASSWORD", "")
        password = ensure(username, given)
        if password is not None:
            shown = f"as in {prefix}_PASSWORD" if given else f"{password}  (shown once)"
            self.stdout.write(f"{what} made: {username}, password {shown}")
