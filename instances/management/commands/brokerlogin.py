"""manage.py brokerlogin: make, change or withdraw a login for platforms."""

import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from instances.models import BrokerCredential


class Command(BaseCommand):
    help = (
        "Give a platform's login a new password: BROKER_PASSWORD, else a random one "
        "that is shown once. Two logins can be valid at once while one replaces the "
        "other."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--remove", action="store_true", help="withdraw the login")

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"]
        if options["remove"]:
            removed, _ = BrokerCredential.objects.filter(username=username).delete()
            if not removed:
                raise CommandError(f"There is no broker login {username}.")
            self.stdout.write(f"Broker login {username} is refused within a second.")
            return
        given = os.environ.get("BROKER_PASSWORD", "")
        password = given or secrets.token_urlsafe(24)
        credential, is_new = BrokerCredential.objects.get_or_create(username=username)
        credential.set_password(password)
        credential.active = True
        credential.save()
        shown = "as in BROKER_PASSWORD" if given else f"{password}  (shown once)"
        what = "made" if is_new else "changed"
        self.stdout.write(f"Broker login {what}: {username}, password {shown}")
