"""Orphans: what the platform has forgotten, and what only looks so (FAILURES F20)."""

import pytest
from django.db.models.functions import Now

from instances import cloud_controller, errors
from instances.models import Kind, Operation, ServiceInstance
from instances.operations.orphans import Comparison, Listed
from tests.instances.base import ACTOR
from tests.instances.platform import CONTEXT, PlatformTestCase


class OrphansTestCase(PlatformTestCase):
    def compare(self, **options):
        return Comparison(cloud_controller.configured(), **options).run()


class Purged(OrphansTestCase):
    def test_a_purged_instance_is_marked_once_and_stays(self):
        """F20."""
        self.make("i-2")
        self.purge("i-1")
        report = self.compare()
        assert [row.guid for row in report.instances.orphans] == ["i-1"]
        assert self.orphans() == {"i-1"}
        first = ServiceInstance.objects.get(guid="i-1").orphaned_at
        assert [row.guid for row in self.compare().instances.marked] == ["i-1"]
        row = ServiceInstance.objects.get(guid="i-1")
        assert row.orphaned_at == first and row.state == "ready"
        assert self.world.container_of(self.instance) and not report.doubt

    def test_its_bindings_go_with_it(self):
        """F20: they are not named beside it."""
        self.purge("i-1")
        report = self.compare()
        assert not report.bindings.orphans and not report.bindings.known
        assert self.orphans() == {"i-1"}

    def test_one_that_is_known_again_loses_the_mark(self):
        self.purge("i-1")
        self.compare()
        self.controller.instances["i-1"] = "shop-db"
        self.controller.bindings["b-1"] = "a-1"
        assert not self.compare().instances.orphans
        assert not self.orphans()

    def test_a_binding_that_is_not_known(self):
        """F20."""
        self.bind(self.instance, "b-2")
        del self.controller.bindings["b-1"]
        report = self.compare()
        assert [row.guid for row in report.bindings.orphans] == ["b-1"]
        assert self.orphans() == {"b-1"}

    def test_dry_changes_nothing(self):
        self.purge("i-1")
        self.controller.instances["i-2"] = "another"
        second = self.make("i-2")
        self.controller.instances["i-2"] = "another"
        assert len(self.compare(is_dry=True).instances.orphans) == 1
        second.refresh_from_db()
        assert not self.orphans() and second.instance_name == "shop-db"


class LeftOut(OrphansTestCase):
    """Whom nobody can blame the platform for not knowing."""

    def setUp(self):
        super().setUp()
        self.purge("i-1")

    def check(self):
        assert not self.compare().instances.orphans
        assert not self.orphans()

    def test_the_young(self):
        ServiceInstance.objects.update(created_at=Now())
        self.check()

    def test_what_is_worked_on(self):
        Operation.objects.enqueue(Kind.BACK_UP, self.instance, actor=ACTOR)
        self.check()

    def test_what_is_being_deleted(self):
        self.accept_deprovision(self.instance)
        self.check()

    def test_what_somebody_has_begun_to_work_on_meanwhile(self):
        """The rows are looked at again before they are marked."""
        client = cloud_controller.configured()
        asked = client.service_instances

        def answer(guids):
            Operation.objects.enqueue(Kind.BACK_UP, self.instance, actor=ACTOR)
            return asked(guids)

        client.service_instances = answer
        Comparison(client).run()
        assert not self.orphans()

    def test_those_of_other_platforms_and_of_none(self):
        for context in ({"platform": "kubernetes"}, {}, {"platform": ["cloudfoundry"]}):
            ServiceInstance.objects.update(context=context)
            self.check()
            assert self.compare().others == 1

    def test_those_of_another_cloud_foundry(self):
        """It has said so when it made them (X-Api-Info-Location)."""
        ServiceInstance.objects.update(api_host="api.elsewhere.example.com")
        self.check()
        ServiceInstance.objects.update(api_host="127.0.0.1")
        assert self.compare().instances.orphans

    def test_an_id_that_cloud_controller_never_makes(self):
        ServiceInstance.objects.update(guid="a,b")
        self.check()

    def test_what_is_gone(self):
        self.accept_deprovision(self.instance)
        ServiceInstance.objects.update(state="gone", live_key=None)
        self.check()


class NotBelieved(OrphansTestCase):
    """An answer that is too bad to be true is said, and nothing is marked by it."""

    def setUp(self):
        super().setUp()
        for number in range(2, 11):
            self.make(f"i-{number}")

    def test_one_that_knows_nothing(self):
        """F20: a client that sees nothing is answered with an empty list."""
        self.controller.instances.clear()
        report = self.compare()
        assert report.doubt == "The platform knows only 0 of 10 service instances."
        assert not report.instances.orphans and not self.orphans()
        assert any("not believed" in line for line in self.logged)

    def test_one_that_knows_fewer_than_four_of_five(self):
        """F20."""
        self.purge("i-1", "i-2", "i-3")
        assert "only 7 of 10" in self.compare().doubt
        self.controller.instances["i-3"] = "shop-db"
        report = self.compare()
        assert not report.doubt and self.orphans() == {"i-1", "i-2"}

    def test_who_believes_it_marks_them_and_later_ones_count_anew(self):
        self.purge("i-1", "i-2", "i-3")
        assert len(self.compare(believes=True).instances.orphans) == 3
        self.purge("i-4")
        report = self.compare()
        assert not report.doubt
        assert self.orphans() == {"i-1", "i-2", "i-3", "i-4"}

    def test_what_is_known_is_unmarked_all_the_same(self):
        ServiceInstance.objects.filter(guid="i-10").update(orphaned_at=Now())
        self.purge("i-1", "i-2", "i-3")
        assert self.compare().doubt
        assert not self.orphans()

    def test_bindings_have_a_brake_of_their_own(self):
        for number in range(2, 11):
            self.bind(self.instance, f"b-{number}")
        self.controller.bindings.clear()
        assert "0 of 10 service bindings" in self.compare().doubt
        assert not self.orphans()

    def test_trouble_in_the_middle_marks_nothing(self):
        self.purge("i-1")
        for status in (401, 429, 500):
            self.controller.status = status
            with pytest.raises(errors.PlatformUnavailable):
                self.compare()
        assert not self.orphans()

    def test_a_process_that_ends_stops_asking(self):
        with pytest.raises(errors.Interrupted):
            self.compare(is_stopping=lambda: True)
        assert not self.controller.queries


class FromAList(OrphansTestCase):
    """Where Cloud Controller is not configured, an operator brings the guids."""

    def test_instances_alone_say_nothing_of_bindings(self):
        self.make("i-2")
        report = Comparison(Listed(["i-2", "i-9"])).run()
        assert self.orphans() == {"i-1"}
        assert not report.bindings.known and not self.controller.asked

    def test_bindings_are_compared_with_theirs(self):
        self.bind(self.instance, "b-2")
        Comparison(Listed(["i-1"], ["b-2"])).run()
        assert self.orphans() == {"b-1"}

    def test_names_stay(self):
        Comparison(Listed(["i-1"], ["b-1"])).run()
        self.instance.refresh_from_db()
        assert self.instance.instance_name == "shop-db"

    def test_another_platform_by_its_name(self):
        ServiceInstance.objects.update(context={**CONTEXT, "platform": "kubernetes"})
        assert Comparison(Listed(["x"])).run().others == 1
        report = Comparison(Listed(["x"]), name="kubernetes").run()
        assert len(report.instances.orphans) == 1 and report.others == 0


class Bounded(OrphansTestCase):
    def test_few_requests_and_statements_for_many(self):
        rows = [
            ServiceInstance.new(
                guid=f"many-{number}", context=CONTEXT, plan=self.plan, state="ready"
            )
            for number in range(249)
        ]
        ServiceInstance.objects.bulk_create(rows)
        self.controller.instances.update({row.guid: "shop-db" for row in rows})
        with self.assertNumQueries(8):
            self.compare()
        assert len(self.controller.queries) == 4

    def test_no_password_is_read_for_it(self):
        self.compare()
        with self.assertNumQueries(5) as queries:
            self.compare(is_dry=True)
        assert not [q for q in queries if '"password"' in q["sql"]]
