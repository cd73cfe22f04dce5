"""manage.py loadcatalog: offerings and plans from a YAML file, by id."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instances import errors
from instances.operations.installation import load_catalog


class Command(BaseCommand):
    help = "Add or change the offerings and plans of a YAML file; none is removed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = load_catalog(options["path"])
        except errors.InvalidRequest as error:
            raise CommandError(str(error)) from error
        for line in done:
            self.stdout.write(line)
