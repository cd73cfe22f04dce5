"""From SQLite to another database, with dumpdata and loaddata (FAILURES F121)."""

import json
import tempfile
from pathlib import Path

import pytest
from django.test import TransactionTestCase

from tests.databases.processes import ask, empty_database, manage

FILL = """
from instances.models import *
plan = ServicePlan.objects.first()
host = DockerHost.objects.first()
from instances import placement
from django.db import transaction
with transaction.atomic():
    container = placement.place(plan)
instance = ServiceInstance.new(
    guid="moved \U0001f418", context={"instance_name": "données"}, plan=plan,
    container=container, state="ready", parameters={"sql_mode": ["ANSI"]},
)
instance.save(force_insert=True)
binding = ServiceBinding.objects.create(
    guid="b", instance=instance, password="a secret", state="ready",
    credentials={"password": "a secret", "port": 1},
)
Operation.objects.enqueue(Kind.UPDATE, instance, actor=WORKER)
"""
SEEN = """
import json
from django.apps import apps
from instances.models import *
binding = ServiceBinding.objects.get()
models = apps.get_app_config("instances").get_models()
print(json.dumps({
    "broker": str(Broker.this().broker_id),
    "password": binding.password,
    "credentials": binding.credentials,
    "instance": [binding.instance.guid, binding.instance.instance_name],
    "parameters": binding.instance.parameters,
    "secret": binding.instance.container.admin_secret,
    "created": binding.instance.created_at.isoformat(timespec="milliseconds"),
    "port": binding.instance.container.lease.number,
    "unfinished": str(Operation.objects.unfinished().get().exclusive_instance_id),
    "counts": {model.__name__: model.objects.count() for model in models},
    "login": BrokerCredential.objects.get().knows("a password of the platform"),
}))
"""
GOES_ON = """
from instances.models import *
AuditEvent.record(WORKER, "moved", ServiceInstance.objects.get())
Worker.objects.beat("w")
print("made")
"""
LEFT_OUT = ("contenttypes", "auth.permission", "sessions", "instances.worker")


class MovingTest(TransactionTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def sqlite(self) -> dict[str, str]:
        with empty_database(self.folder) as environment:
            environment.pop("DATABASE_URI", None)
        return {**environment, "DATABASE_PATH": str(self.folder / "old.sqlite3")}

    @pytest.mark.timeout(600)
    def test_everything_comes_along(self):
        """As docs/databases.md says it."""
        old = self.sqlite()
        manage(old, "bootstrap")
        ask(old, FILL)
        before = json.loads(ask(old, SEEN))
        file = str(self.folder / "moved.json")
        left_out = [f"--exclude={name}" for name in LEFT_OUT]
        manage(old, "dumpdata", *left_out, f"--output={file}")
        assert "a secret" not in Path(file).read_text(), "still encrypted, S20"
        with empty_database(self.folder) as new:
            manage(new, "migrate")
            manage(new, "loaddata", file)
            after = json.loads(ask(new, SEEN))
            assert after == before
            # Numbers go on where they were: PostgreSQL counts apart from the rows.
            assert ask(new, GOES_ON) == "made\n"
            # And whoever starts on it makes nothing anew.
            said = manage(new, "bootstrap")
            assert "made" not in said
            counts = json.loads(ask(new, SEEN))["counts"]
            assert counts["Broker"] == counts["BrokerCredential"] == 1
