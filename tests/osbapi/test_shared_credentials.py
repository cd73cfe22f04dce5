"""An engine that makes no users: what its bindings can and cannot do."""

from unittest import mock

from instances import errors
from instances.engines import probes
from instances.models import ServiceOffering, ServicePlan
from instances.operations.catalog import catalog_document
from tests.osbapi.base import PlatformTestCase

CREDENTIALS = {
    "uri": "any://${username}:${password}@${host}:${port}/${database}",
    "host": "${host}",
    "port": "${port}",
}


class SharedCredentialsTest(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        ServiceOffering.objects.update(engine="generic")
        self.describe(credentials=CREDENTIALS)
        self.enterContext(mock.patch.object(probes, "look_at_tcp"))

    def describe(self, **settings: object) -> None:
        ServicePlan.objects.update(settings={"port": 8080, **settings})

    def test_all_bindings_of_an_instance_get_the_same(self):
        instance = self.ready()
        first, second = self.bind("b-1"), self.bind("b-2")
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        port = instance.container.port
        host = self.host.database_host
        assert first.json()["endpoints"] == [{"host": host, "ports": [str(port)]}]
        assert f"@{host}:{port}/d" in first.json()["credentials"]["uri"]

    def test_two_instances_share_nothing(self):
        for guid in ("i-1", "i-2"):
            self.ready(guid)
        first, second = self.bind(), self.bind(instance="i-2")
        assert first.json()["credentials"] != second.json()["credentials"]

    def test_an_unbind_leaves_the_others_what_they_have(self):
        self.ready()
        first = self.bind("b-1").json()
        self.bind("b-2")
        assert self.unbind("b-2").status_code == 200
        assert self.bind("b-3").json() == first

    def test_read_only_is_400_and_says_why(self):
        self.ready()
        answer = self.bind(parameters={"read_only": True})
        assert answer.status_code == 400
        assert "share the same credentials" in answer.json()["description"]

    def test_parameters_are_400_and_say_why(self):
        answer = self.put(parameters={"size": 1})
        assert answer.status_code == 400
        assert "takes no parameters" in answer.json()["description"]

    def test_rotation_is_not_offered_and_400(self):
        """OSB-CHECKLIST 56."""
        (plan,) = catalog_document()["services"][0]["plans"]
        assert "binding_rotatable" not in plan
        self.ready()
        self.bind()
        answer = self.bind("b-2", predecessor_binding_id="b-1")
        assert answer.status_code == 400
        assert "share their credentials" in answer.json()["description"]

    def test_without_host_and_port_among_them_there_are_no_endpoints(self):
        """OSB-CHECKLIST 117."""
        for credentials in ({"url": "any://${host}"}, {"host": ["a"], "port": "b"}):
            self.describe(credentials=credentials)
            guid = f"i-{len(credentials)}"
            self.ready(guid)
            answer = self.bind(instance=guid)
            assert answer.status_code == 201
            assert "endpoints" not in answer.json()

    def test_a_server_that_does_not_answer_binds_no_app(self):
        self.ready()
        probes.look_at_tcp.side_effect = errors.EngineUnreachable(detail="closed")
        assert self.bind().status_code == 500
