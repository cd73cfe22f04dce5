"""manage.py rotatekeys: rewrite what is encrypted under the first key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from instances import errors
from instances.operations.installation import rotate_keys


class Command(BaseCommand):
    help = "Encrypt every stored secret under the first of ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rotated = rotate_keys()
        except errors.Unreadable as error:
            raise CommandError(error.detail) from error
        self.stdout.write(
            f"{rotated} secrets are under the first key of ENCRYPTION_KEYS now: "
            f"the others may go once every process runs with it in front."
        )
