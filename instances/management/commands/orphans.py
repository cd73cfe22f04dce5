"""manage.py orphans: what the platform does not know any more. It removes nothing."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from instances import cloud_controller, errors
from instances.models import ServiceBinding, ServiceInstance
from instances.operations.orphans import (
    CLOUD_FOUNDRY,
    GRACE,
    Comparison,
    Listed,
    Platform,
    Report,
)

FOUND = 10
"""As On-Demand Service Broker's orphan-deployments errand has it."""
UNDECIDED = 2
HOW = (
    "Cloud Controller is not configured (CF_CLIENT_SECRET): give the GUIDs that it "
    "knows with --platform-guids FILE, such as of cf curl "
    "'/v3/service_instances?per_page=5000' | jq -r '.resources[].guid'"
)


class Command(BaseCommand):
    help = (
        "List the service instances and bindings that the platform does not know any "
        "more, such as after cf purge-service-instance, and mark them in the console. "
        "Nothing is removed. Those younger than "
        f"{GRACE.total_seconds() / 60:.0f} minutes, or with an operation under way, "
        f"are left out. Exit code {FOUND}: there are some; {UNDECIDED}: the platform "
        "could not be asked, or knows so little that it is not believed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--platform-guids",
            metavar="FILE",
            help="the GUIDs of all service instances that the platform knows, one a "
            "line, instead of asking Cloud Controller",
        )
        parser.add_argument(
            "--platform-binding-guids",
            metavar="FILE",
            help="those of all service credential bindings; without, bindings are "
            "not compared with a list",
        )
        parser.add_argument(
            "--platform",
            default=CLOUD_FOUNDRY,
            help="what the platform is called in contexts (%(default)s)",
        )
        parser.add_argument(
            "--believe",
            action="store_true",
            help="list and mark even if the platform knows fewer than four of five",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="list only: mark nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        comparison = Comparison(
            _platform(options),
            name=options["platform"],
            believes=options["believe"],
            is_dry=options["dry_run"],
        )
        try:
            report = comparison.run()
        except errors.PlatformUnavailable as error:
            raise CommandError(error.detail, returncode=UNDECIDED) from error
        self._tell(report)
        if report.doubt:
            raise CommandError(
                f"{report.doubt} That is not believed, and the others are not listed. "
                "Look whether it is the right platform, and what its client may see; "
                "if it is so, --believe lists and marks them.",
                returncode=UNDECIDED,
            )
        if report.instances.orphans or report.bindings.orphans:
            sys.exit(FOUND)

    def _tell(self, report: Report) -> None:
        for part in (report.instances, report.bindings):
            found = len(part.orphans)
            self.stdout.write(
                f"{found or 'no'} orphans; {len(part.known)} {part.what} are known"
            )
            for row in part.orphans:
                self.stdout.write(f"  {_line(row)}")
        if report.others:
            self.stdout.write(
                f"{report.others} service instances of other platforms, or of none, "
                "were not compared"
            )


def _platform(options: dict[str, Any]) -> Platform:
    instances, bindings = (
        options["platform_guids"],
        options["platform_binding_guids"],
    )
    if instances:
        return Listed(_guids(instances), _guids(bindings) if bindings else None)
    if bindings:
        raise CommandError("--platform-binding-guids goes with --platform-guids.")
    if not settings.CLOUD_CONTROLLER:
        raise CommandError(HOW, returncode=UNDECIDED)
    return cloud_controller.configured()


def _guids(path: str) -> list[str]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}", returncode=2) from error
    guids = [line.strip() for line in lines]
    guids = [guid for guid in guids if guid and not guid.startswith("#")]
    if not guids:
        raise CommandError(f"{path} has no GUID.", returncode=UNDECIDED)
    return guids


def _line(row: ServiceInstance | ServiceBinding) -> str:
    """In one line of text, whatever the names are made of."""
    name = row.instance_name if isinstance(row, ServiceInstance) else row.app_name
    since = f" since {row.orphaned_at:%Y-%m-%d %H:%M}" if row.orphaned_at else " new"
    text = f"{row.guid} {name}".rstrip()
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return f"{shown}{since}"
