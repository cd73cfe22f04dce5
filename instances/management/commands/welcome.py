"""manage.py welcome: what a site that has just started is good for, to copy and paste.

No password is printed: `bootstrap` has shown the ones it made, once.
"""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from instances.models import BrokerCredential, ServicePlan

GREETING = """
The console is at {url}/admin/, the broker at {url}/v2/.
Platforms log in as {username}. The commands below take the password from $BROKER_PASSWORD{hint}.

Register it with Cloud Foundry, which has to reach this address (PUBLIC_URL):

  cf create-service-broker brokersite {username} "$BROKER_PASSWORD" {url}
  cf enable-service-access {offering}

The walk that `make demo` takes, by hand:

  broker() {{ curl -sS -u "{username}:$BROKER_PASSWORD" -H 'X-Broker-API-Version: 2.17' \\
    -H 'Content-Type: application/json' "$@"; echo; }}
  B={url}/v2/service_instances/first
  IDS='service_id={offering_id}&plan_id={plan_id}'
  WISH='{{"service_id": "{offering_id}", "plan_id": "{plan_id}"'

  broker {url}/v2/catalog
  broker -X PUT "$B?accepts_incomplete=true" -d "$WISH, \\"organization_guid\\": \\"o\\", \\"space_guid\\": \\"s\\"}}"
  broker "$B/last_operation"
  broker -X PUT "$B/service_bindings/app" -d "$WISH}}"
  broker -X DELETE "$B/service_bindings/app?$IDS"
  broker -X DELETE "$B?accepts_incomplete=true&$IDS"

Ctrl-C stops the site and leaves the databases running.
"""  # noqa: E501


class Command(BaseCommand):
    help = "Say where the console is, and how to register and try the broker."

    def handle(self, *args: Any, **options: Any) -> None:
        plan = (
            ServicePlan.objects.filter(active=True, offering__active=True)
            .select_related("offering")
            .first()
        )
        login = BrokerCredential.objects.filter(active=True).first()
        if plan is None or login is None:
            self.stdout.write(
                f"The console is at {settings.PUBLIC_URL}/admin/. Platforms cannot use"
                " the broker yet: it has no active plan, or no active broker login."
            )
            return
        is_set = bool(os.environ.get("BROKER_PASSWORD"))
        self.stdout.write(
            GREETING.format(
                url=settings.PUBLIC_URL,
                username=login.username,
                hint="" if is_set else ",\nwhich you have to set: it was shown once",
                offering=plan.offering.name,
                offering_id=plan.offering_id,
                plan_id=plan.pk,
            )
        )
