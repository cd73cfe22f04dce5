"""manage.py checkhost: test the connection of Docker hosts."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instances.models import DockerHost
from instances.operations.check_host import check, is_bad


class Command(BaseCommand):
    help = "Test the connection of all Docker hosts, or of those named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="*", help="a host's name in the console")

    def handle(self, *args: Any, **options: Any) -> None:
        hosts = DockerHost.objects.all()
        if options["name"]:
            hosts = hosts.filter(name__in=options["name"])
            unknown = set(options["name"]) - {host.name for host in hosts}
            if unknown:
                raise CommandError(f"There is no Docker host {', '.join(unknown)}.")
        bad = []
        for host in hosts:
            found = check(host)
            self.stdout.write(f"{host} ({host.url})")
            for finding in found:
                self.stdout.write(f"  {finding.level:8} {finding}")
            if is_bad(found):
                bad.append(host.name)
        if bad:
            raise CommandError(f"Something is wrong with {', '.join(bad)}.")
