"""manage.py reconcile: bring Docker hosts in line with the rows, or only look."""

import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instances import errors
from instances.models import DockerHost
from instances.operations import hosts
from instances.operations.reconcile import Found, look, reconcile

FOUND = 1
NOT_REACHED = 2


class Command(BaseCommand):
    help = (
        "Compare each Docker host with the rows, and settle what differs. It looks "
        "closely at every container; workers do so by turns, every 30 seconds. Exit "
        f"code {FOUND}: something was found; {NOT_REACHED}: a host could not be asked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="only look: change nothing"
        )
        parser.add_argument("--host", help="a host's name in the console")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = DockerHost.objects.all()
        if options["host"]:
            rows = rows.filter(name=options["host"])
            if not rows:
                raise CommandError(f"There is no Docker host {options['host']}.")
        code = 0
        for host in rows:
            code = max(code, self._one(host, is_dry=options["dry_run"]))
        if code:
            sys.exit(code)

    def _one(self, host: DockerHost, *, is_dry: bool) -> int:
        """The exit code, if it were the only host."""
        try:
            found = look(host) if is_dry else reconcile(host, is_full=True)
        except errors.HostUnreachable as error:
            if not is_dry:
                hosts.note_failure(host, error)
            self.stderr.write(f"{host}: {error.detail}")
            return NOT_REACHED
        self._tell(host, found, "would be done" if is_dry else "done")
        return FOUND if found else 0

    def _tell(self, host: DockerHost, found: list[Found], what: str) -> None:
        write: Callable[[str], Any] = self.stdout.write
        write(f"{host}: {len(found) or 'nothing'} found")
        for one in found:
            write(f"  {one.kind:12} {one.name}: {one.sentence} {one.text}".rstrip())
            write(f"  {'':12} {what}: {one.cure}")
