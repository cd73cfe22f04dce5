"""Everything but operations, against rows that the domain itself has made."""

from datetime import timedelta

from django.db.models.functions import Now
from prometheus_client import CollectorRegistry

from instances.metrics import Broker
from instances.models import (
    Backup,
    Container,
    DockerHost,
    ServiceInstance,
    ServicePlan,
    Worker,
)
from instances.operations.reconcile import reconcile
from instances.operations.standby import Standbys
from tests.fakes import drain, make_host
from tests.instances.backups import BackupTestCase

PLAN = {"offering": "mysql-docker", "plan": "plan-1"}


class RowsTest(BackupTestCase):
    def value(self, name: str, **labels: str) -> float | None:
        registry = CollectorRegistry()
        registry.register(Broker("1.2.3"))
        return registry.get_sample_value(f"brokersite_{name}", labels)

    def test_the_release_is_named(self):
        names = ("version", "python_version", "django_version")
        registry = CollectorRegistry()
        registry.register(Broker("1.2.3"))
        (build,) = (m for m in registry.collect() if m.name == "brokersite_build_info")
        (sample,) = build.samples
        assert sample.value == 1
        assert sample.labels["version"] == "1.2.3"
        assert set(sample.labels) == set(names)

    def test_service_instances_by_plan_and_state(self):
        self.provisioned("i-1")
        self.accept_provision("i-2")
        gone = self.provisioned("i-3")
        self.accept_deprovision(gone)
        drain()
        labels = {**PLAN, "engine": "mariadb"}
        assert self.value("service_instances", **labels, state="ready") == 2
        assert self.value("service_instances", **labels, state="failed") == 0
        assert self.value("service_instances", **labels, state="gone") is None

    def test_what_the_platform_does_not_know(self):
        """F20."""
        self.provisioned("i-1")
        assert self.value("service_instances_orphaned") == 0
        ServiceInstance.objects.update(orphaned_at=Now())
        assert self.value("service_instances_orphaned") == 1

    def test_standbys_that_are_wanted_and_there(self):
        ServicePlan.objects.update(standby=2)
        assert self.value("standbys_wanted", **PLAN) == 2
        assert self.value("standbys", **PLAN, state="standby") == 0
        Standbys().replenish()
        assert self.value("standbys", **PLAN, state="standby") == 1
        ServicePlan.objects.update(active=False)
        assert self.value("standbys_wanted", **PLAN) == 0

    def test_a_host_that_answers_and_one_that_does_not(self):
        """I13."""
        make_host("two", problem="no route", reached_at=Now())
        assert self.value("host_up", host="one") == 0
        reconcile(self.host)
        assert self.value("host_up", host="one") == 1
        assert self.value("host_up", host="two") == 0
        at = self.value("host_last_contact_timestamp_seconds", host="one")
        assert at == DockerHost.objects.get(name="one").reached_at.timestamp()

    def test_a_host_that_was_never_reached_has_no_last_contact(self):
        assert self.value("host_last_contact_timestamp_seconds", host="one") is None

    def test_what_is_lost_and_what_stands(self):
        """F49."""
        self.provisioned()
        reconcile(self.host)
        assert self.value("service_instances_lost", host="one") == 0
        self.world.machine.containers.clear()
        reconcile(self.host)
        assert self.value("service_instances_lost", host="one") == 1
        found = self.value("reconcile_findings", host="one", kind="lost")
        assert (found, self.value("host_braked", host="one")) == (1, 0)

    def test_a_host_that_is_held_back(self):
        """F31."""
        self.host.brake(7)
        assert self.value("host_braked", host="one") == 1

    def test_a_cordoned_host_is_not_active(self):
        assert self.value("host_active", host="one") == 1
        DockerHost.objects.update(state="cordoned")
        assert self.value("host_active", host="one") == 0

    def test_memory_as_the_placement_counts_it(self):
        self.provisioned()
        ServicePlan.objects.update(standby=1)
        Standbys().replenish()
        used = self.value("host_memory_used_bytes", host="one")
        budget = self.value("host_memory_budget_bytes", host="one")
        assert used == 2 * 256 * 2**20
        assert budget - used == self.host.free_memory_mb() * 2**20

    def test_containers_by_state_and_disk(self):
        self.provisioned()
        assert self.value("containers", host="one", state="in_use") == 1
        assert self.value("containers_disk", host="one", disk="fine") == 1
        Container.objects.update(disk_state="read_only")
        assert self.value("containers_disk", host="one", disk="fine") == 0
        assert self.value("containers_disk", host="one", disk="read_only") == 1

    def test_ports_leased_resting_and_free(self):
        instance = self.provisioned("i-1")
        self.provisioned("i-2")
        self.accept_deprovision(instance)
        drain()
        states = ("leased", "resting", "free")
        found = [self.value("host_ports", host="one", state=state) for state in states]
        assert found == [1, 1, 98]
        # The range is smaller than what is leased.
        DockerHost.objects.update(port_min=20000, port_max=20000)
        assert self.value("host_ports", host="one", state="free") == 0

    def test_backups_by_state_and_their_size(self):
        instance = self.filled()
        backup = self.verified(instance)
        self.backed_up(instance)
        assert self.value("backups", host="one", state="verified") == 1
        assert self.value("backups", host="one", state="committed") == 1
        size = sum(Backup.objects.values_list("delta_bytes", flat=True))
        assert self.value("backups_size_bytes", host="one") == size
        Backup.objects.filter(pk=backup.pk).update(state="gone", gone_at=Now())
        assert self.value("backups", host="one", state="verified") == 0

    def test_who_lacks_a_backup(self):
        instance = self.filled("i-1")
        self.provisioned("i-2")
        assert self.value("backup_scheduled_instances") == 0
        assert self.value("backup_newest_verified_timestamp_seconds") is None
        ServicePlan.objects.update(backup_interval_h=1)
        ServiceInstance.objects.update(created_at=Now() - timedelta(hours=9))
        assert self.value("backup_scheduled_instances") == 2
        assert self.value("backup_overdue_instances") == 2
        backup = self.verified(instance)
        assert self.value("backup_overdue_instances") == 1
        for which in ("newest", "stalest"):
            at = self.value(f"backup_{which}_verified_timestamp_seconds")
            assert at == backup.taken_at.timestamp()

    def test_the_stalest_is_the_oldest_of_the_newest(self):
        ServicePlan.objects.update(backup_interval_h=1)
        one, two = self.filled("i-1"), self.filled("i-2")
        for instance, hours in ((one, 9), (one, 5), (two, 3)):
            backup = self.verified(instance)
            Backup.objects.filter(pk=backup.pk).update(
                taken_at=Now() - timedelta(hours=hours)
            )
        oldest, middle, newest = Backup.objects.order_by("taken_at")
        assert oldest.instance == middle.instance == one
        assert self.value("backup_stalest_verified_timestamp_seconds") == (
            middle.taken_at.timestamp()
        )
        assert self.value("backup_newest_verified_timestamp_seconds") == (
            newest.taken_at.timestamp()
        )

    def test_a_backup_that_failed_is_told(self):
        backup = self.backed_up(self.filled())
        assert self.value("backup_failed_instances") == 0
        backup.fail("no data in it", only_from=("committed",))
        assert self.value("backup_failed_instances") == 1

    def test_workers_and_their_heartbeat(self):
        assert self.value("workers_alive") == 0
        assert self.value("worker_last_heartbeat_timestamp_seconds") is None
        Worker.objects.beat("a")
        Worker.objects.beat("b")
        Worker.objects.filter(name="a").update(seen_at=Now() - timedelta(minutes=1))
        assert self.value("workers_alive") == 1
        seen_at = Worker.objects.get(name="b").seen_at
        heartbeat = self.value("worker_last_heartbeat_timestamp_seconds")
        assert heartbeat == seen_at.timestamp()
