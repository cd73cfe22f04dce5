"""manage.py bootstrap: make an empty installation usable; harmless on a used one."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from instances.management import migrating
from instances.models import ServiceOffering
from instances.operations import installation


class Command(BaseCommand):
    help = (
        "Migrate, load the catalog, make the first host, operator and login. Any "
        "number of processes may do so at once: one does, the others wait."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        settings.STATE_DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
        with migrating.alone():
            migrating.migrate()
            self._fill()

    def _fill(self) -> None:
        installation.check_readable()
        # Once only: what operators change afterwards is theirs.
        if not ServiceOffering.objects.exists():
            call_command("loadcatalog", Path(settings.BASE_DIR) / "catalog.yml")
        host = installation.ensure_host(**settings.FIRST_DOCKER_HOST)
        self.stdout.write(f"Docker host {host}: {host.url}")
        self._login(
            "Operator",
            "ADMIN",
            ensure=installation.ensure_operator,
            **settings.FIRST_OPERATOR,
        )
        self._login(
            "Broker login",
            "BROKER",
            ensure=installation.ensure_broker_login,
            **settings.FIRST_BROKER_LOGIN,
        )

    def _login(
        self, what: str, prefix: str, *, username: str, password: str, ensure: Any
    ) -> None:
        made = ensure(username, password)
        if made is not None:
            shown = f"as in {prefix}_PASSWORD" if password else f"{made}  (shown once)"
            self.stdout.write(f"{what} made: {username}, password {shown}")
