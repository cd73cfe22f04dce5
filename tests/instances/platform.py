"""Service instances of a platform, and a Cloud Controller that knows them, or not."""

from datetime import timedelta

from django.db.models.functions import Now

from instances.models import PlatformLookup, ServiceBinding, ServiceInstance
from tests.fakes import drain
from tests.instances.base import DomainTestCase
from tests.instances.cloud_controller.base import WithCloudController

CONTEXT = {
    "platform": "cloudfoundry",
    "instance_name": "shop-db",
    "organization_name": "acme",
    "space_name": "dev",
}
OLD = timedelta(hours=2)


class PlatformTestCase(WithCloudController, DomainTestCase):
    """i-1 has the binding b-1 of the app a-1; both are known and two hours old."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.make("i-1")
        self.binding = self.bind(self.instance, "b-1")
        self.controller.apps = {"a-1": "shop"}

    def make(self, guid, **changes) -> ServiceInstance:
        instance = self.accept_provision(guid, **{"context": CONTEXT, **changes})
        drain()
        self.controller.instances[guid] = "shop-db"
        return self.aged(instance)

    def bind(self, instance, guid, app="a-1") -> ServiceBinding:
        binding = self.bound(instance, guid)
        ServiceBinding.objects.filter(pk=binding.pk).update(app_guid=app)
        self.controller.bindings[guid] = app
        return self.aged(binding)

    def aged(self, row):
        rows = type(row).objects.filter(pk=row.pk)
        rows.update(created_at=Now() - OLD)
        return rows.get()

    def purge(self, *guids) -> None:
        """As cf purge-service-instance: bindings go with them."""
        for guid in guids:
            del self.controller.instances[guid]
            rows = ServiceBinding.objects.filter(instance__guid=guid)
            for (binding,) in rows.values_list("guid"):
                self.controller.bindings.pop(binding, None)

    def orphans(self) -> set[str]:
        """What is marked, of both kinds."""
        return {
            row.guid
            for model in (ServiceInstance, ServiceBinding)
            for row in model.objects.filter(orphaned_at__isnull=False)
        }

    @property
    def lookup(self) -> PlatformLookup:
        return PlatformLookup.objects.get()
