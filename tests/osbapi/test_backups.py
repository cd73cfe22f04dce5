"""Backups through cf update-service -c, and cf create-service with one."""

import json
from typing import Any

from instances.models import Backup, ServiceInstance, ServicePlan
from instances.operations.proof import prove_next
from tests.fakes import Refused, check_invariants, drain, make_plan
from tests.osbapi.base import BODY, IDS, PlatformTestCase

INSTANCE = "/v2/service_instances/i-1"
CLONE = "/v2/service_instances/i-2"
QUERY = "&".join(f"{name}={value}" for name, value in IDS.items())


class BackupsTestCase(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        assert self.call("PUT", f"{INSTANCE}?accepts_incomplete=true", BODY)
        drain()
        self.credentials = self.bind(INSTANCE)
        self.write()

    def bind(self, instance: str) -> dict[str, Any]:
        answer = self.call("PUT", f"{instance}/service_bindings/b-1", IDS)
        return answer.json()["credentials"]

    def session(self, credentials: dict[str, Any]):
        return self.world.engine.log_in(
            credentials["host"],
            credentials["port"],
            username=credentials["username"],
            password=credentials["password"],
        )

    def write(self) -> None:
        self.session(self.credentials).write(self.credentials["name"])

    def rows(self, credentials: dict[str, Any]) -> int:
        return self.session(credentials).count(credentials["name"])

    def patch(self, *, is_async: bool = True, **parameters: Any):
        suffix = "?accepts_incomplete=true" if is_async else ""
        body = {"service_id": IDS["service_id"], "parameters": parameters}
        return self.call("PATCH", f"{INSTANCE}{suffix}", body)

    def done(self) -> None:
        drain()
        while prove_next():
            pass

    def backed_up(self) -> Backup:
        assert self.patch(backup={}).status_code == 202
        self.done()
        return Backup.objects.latest("created_at")

    def create(self, restore_from: Any, *, is_async: bool = True, **changes: Any):
        suffix = "?accepts_incomplete=true" if is_async else ""
        body = {**BODY, "parameters": {"restore_from": restore_from}, **changes}
        return self.call("PUT", f"{CLONE}{suffix}", body)


class UpdateServiceTest(BackupsTestCase):
    def test_a_backup_is_taken_and_its_note_kept(self):
        answer = self.patch(backup={"note": "before migration"})
        assert answer.status_code == 202
        self.done()
        name = answer.json()["operation"]
        said = self.call("GET", f"{INSTANCE}/last_operation?operation={name}").json()
        assert said["state"] == "succeeded"
        backup = Backup.objects.get()
        assert (backup.note, backup.trigger) == ("before migration", "developer")
        assert backup.state == "verified"

    def test_a_restore_brings_the_data_of_then_and_keeps_the_credentials(self):
        backup = self.backed_up()
        for which in ("latest", str(backup.pk)):
            self.write()
            assert self.patch(restore={"backup": which}).status_code == 202
            self.done()
            if which == "latest":
                assert self.rows(self.credentials) == 1
        assert Backup.objects.filter(trigger="restore").count() == 2

    def test_a_repeat_gets_the_same_operation_and_another_wish_422(self):
        first, again = self.patch(backup={}), self.patch(backup={})
        assert again.json() == first.json()
        other = self.patch(backup={"note": "another"})
        assert (other.status_code, other.json()["error"]) == (422, "ConcurrencyError")

    def test_it_takes_a_platform_that_polls(self):
        """OSB-CHECKLIST 36."""
        assert self.patch(is_async=False, backup={}).json()["error"] == "AsyncRequired"

    def test_what_cannot_be_is_400_with_a_sentence(self):
        for parameters, word in (
            ({"restore": {"backup": "latest"}}, "no verified backup"),
            ({"restore": {}}, "required"),
            ({"backup": {"nothing": 1}}, "nothing"),
            ({"backup": {}, "max_connections": 30}, "alone"),
        ):
            answer = self.patch(**parameters)
            assert answer.status_code == 400, parameters
            assert word in answer.json()["description"]

    def test_a_plan_may_forbid_it(self):
        ServicePlan.objects.update(backup_by_developer=False)
        answer = self.patch(backup={})
        assert answer.status_code == 400
        assert "operators" in answer.json()["description"]

    def test_the_instance_s_parameters_stay_as_they_are(self):
        self.backed_up()
        assert "parameters" not in self.call("GET", INSTANCE).json()

    def test_the_catalog_has_schemas_for_it(self):
        plan = self.call("GET", "/v2/catalog").json()["services"][0]["plans"][0]
        schemas = plan["schemas"]["service_instance"]
        assert "restore_from" in json.dumps(schemas["create"])
        assert {"backup", "restore"} <= set(
            schemas["update"]["parameters"]["properties"]
        )


class CreateServiceTest(BackupsTestCase):
    def cloned(self, restore_from: Any) -> dict[str, Any]:
        assert self.create(restore_from).status_code == 202
        self.done()
        said = self.call("GET", f"{CLONE}/last_operation").json()
        assert said["state"] == "succeeded", said
        return self.bind(CLONE)

    def test_a_clone_has_the_data_and_none_of_the_users(self):
        backup = self.backed_up()
        self.write()
        clone = self.cloned({"instance": "i-1", "backup": "latest"})
        assert (self.rows(clone), self.rows(self.credentials)) == (1, 2)
        instance = ServiceInstance.objects.get(guid="i-2")
        assert self.world.users_of(instance) == [clone["username"]]
        assert set(self.world.container_of(instance).databases) == {clone["name"]}
        assert instance.restored_from == backup
        with self.assertRaises(Refused):
            self.session({**self.credentials, "port": clone["port"]})
        check_invariants(self.world)

    def test_a_deleted_one_comes_back_from_its_final_backup(self):
        path = f"{INSTANCE}?{QUERY}&accepts_incomplete=true"
        assert self.call("DELETE", path).status_code == 202
        self.done()
        clone = self.cloned({"instance": "i-1", "backup": "latest"})
        assert self.rows(clone) == 1

    def test_a_backup_s_id_is_enough(self):
        backup = self.backed_up()
        assert self.rows(self.cloned({"backup": str(backup.pk)})) == 1

    def test_no_standby_is_taken_for_it(self):
        """It would be an empty database."""
        self.backed_up()
        ServicePlan.objects.update(standby=1)
        answer = self.create({"instance": "i-1", "backup": "latest"})
        assert answer.status_code == 202

    def test_another_space_s_backup_is_not_there(self):
        """F100: nor does the answer tell whether it is."""
        backup = self.backed_up()
        answer = self.create({"backup": str(backup.pk)}, space_guid="another")
        assert answer.status_code == 400
        unknown = self.create({"backup": "00000000-0000-4000-8000-000000000000"})
        assert answer.json() == unknown.json()

    def test_what_does_not_fit_is_400(self):
        backup = self.backed_up()
        make_plan("small", memory_mb=64)
        for changes, wanted, word in (
            ({"plan_id": "small"}, {"backup": str(backup.pk)}, "256 MiB"),
            ({}, {"backup": "latest"}, "instance"),
            ({}, {"instance": "i-1"}, "required"),
            ({}, {"backup": "no id"}, "no such"),
        ):
            answer = self.create(wanted, **changes)
            assert answer.status_code == 400, wanted
            assert word in answer.json()["description"]
        assert not ServiceInstance.objects.filter(guid="i-2").exists()

    def test_it_takes_a_platform_that_polls(self):
        """OSB-CHECKLIST 73."""
        backup = self.backed_up()
        answer = self.create({"backup": str(backup.pk)}, is_async=False)
        assert (answer.status_code, answer.json()["error"]) == (422, "AsyncRequired")

    def test_an_image_that_is_gone_fails_and_leaves_nothing(self):
        """F94."""
        backup = self.backed_up()
        self.world.machine.backups.clear()
        self.create({"backup": str(backup.pk)})
        self.done()
        said = self.call("GET", f"{CLONE}/last_operation").json()
        assert said["state"] == "failed"
        assert len(self.world.containers()) == 1
