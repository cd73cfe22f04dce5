"""manage.py dumpcatalog: the catalog as YAML, for loadcatalog and for a repository."""

from typing import Any

from django.core.management.base import BaseCommand

from instances.operations.catalog_files import dump_catalog


class Command(BaseCommand):
    help = "Write every offering and plan as YAML that loadcatalog reads."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(dump_catalog(), ending="")
