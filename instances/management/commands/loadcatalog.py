"""manage.py loadcatalog: offerings and plans from a YAML file, by id."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instances import errors
from instances.models import ServiceOffering
from instances.operations import catalog_files
from instances.operations.catalog_changes import refresh_command


class Command(BaseCommand):
    help = "Add or change the offerings and plans of a YAML file; none is removed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show what would be added or changed, and change nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        was_empty = not ServiceOffering.objects.exists()
        try:
            done = catalog_files.load_catalog(options["path"], dry_run=dry_run)
        except errors.InvalidRequest as error:
            raise CommandError(str(error)) from error
        is_wordy = dry_run or options["verbosity"] > 1
        for line in catalog_files.lines(done, with_added=is_wordy):
            self.stdout.write(line)
        for row in catalog_files.unnamed(done):
            kind = row._meta.verbose_name
            self.stdout.write(f"not in the file, left as it is: {kind} {row}")
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")
        elif not was_empty and any(entry.changes for entry in done):
            self.stdout.write(f"Cloud Foundry sees it after: {refresh_command()}")
