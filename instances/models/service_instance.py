"""Service instances: what a platform has asked for."""

import hashlib
import uuid
from typing import Any

from django.db import models

from instances import errors
from instances.models.container import Container
from instances.models.prepared import Prepared, Slot
from instances.models.service_offering import ServicePlan
from instances.models.state import StatefulModel


def digest(*parts: str) -> str:
    """A key of fixed length, compared exactly by every database's collation."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class InstanceState(models.TextChoices):
    PROVISIONING = "provisioning"
    READY = "ready"
    FAILED = "failed"
    DEPROVISIONING = "deprovisioning"
    GONE = "gone"


class ServiceInstanceQuerySet(models.QuerySet["ServiceInstance"]):
    def find_live(self, guid: str) -> "ServiceInstance | None":
        return _LIVE.find(key=digest(guid))

    def get_live(self, guid: str) -> "ServiceInstance":
        """Raise NotFound."""
        instance = self.find_live(guid)
        if instance is None:
            raise errors.NotFound("There is no such service instance.")
        return instance

    def lock(self, instance: "ServiceInstance") -> None:
        """Lock its row until the transaction ends.

        Raise ConcurrencyError if it is not what it was when it was read.
        """
        now = _LOCKED.tuples(pk=instance.pk)
        seen = (instance.live_key, instance.state)
        if now != [(*seen, instance.plan_id, instance.container_id)]:
            raise errors.ConcurrencyError(detail=f"{instance} has just changed")

    def find_last(self, guid: str) -> "ServiceInstance | None":
        """The live one of that id, else the one that went last; id and plan only."""
        key = digest(guid)
        return _LIVE_IN_SHORT.find(key=key) or _GONE_IN_SHORT.find(key=key)


class ServiceInstance(StatefulModel):
    """One service instance. A gone one stays as history; its id is free again."""

    State = InstanceState

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    guid = models.CharField(max_length=500)
    """The platform's id: any string."""
    key = models.CharField(max_length=64, db_index=True, editable=False)
    live_key = models.CharField(max_length=64, unique=True, null=True, editable=False)
    """The digest of guid while the instance is not gone: one live row per guid."""
    plan = models.ForeignKey(
        ServicePlan, on_delete=models.PROTECT, related_name="instances"
    )
    parameters = models.JSONField(default=dict, blank=True)
    context = models.JSONField(default=dict, blank=True)
    organization_guid = models.CharField(max_length=255, blank=True)
    space_guid = models.CharField(max_length=255, blank=True)
    instance_name = models.CharField(max_length=255, blank=True)
    organization_name = models.CharField(
        max_length=255, blank=True, default="", db_default=""
    )
    space_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    """As Cloud Controller calls it today; the context has what it was called once."""
    api_host = models.CharField(max_length=255, blank=True, default="", db_default="")
    """Of the Cloud Controller that has made it, as X-Api-Info-Location said."""
    orphaned_at = models.DateTimeField(null=True, editable=False, db_index=True)
    """Since when the platform is seen not to know it; see instances.operations.orphans.
    """
    maintenance_version = models.CharField(max_length=100, blank=True)
    """The version of the image that it runs, in its plan's counting."""
    state = models.CharField(
        max_length=20, choices=InstanceState, default=InstanceState.PROVISIONING
    )
    container = models.OneToOneField(
        Container, on_delete=models.PROTECT, null=True, related_name="instance"
    )
    restored_name = models.CharField(max_length=32, blank=True, editable=False)
    """What the database is called in the backup that this instance began with."""
    restored_from = models.ForeignKey(
        "instances.Backup", on_delete=models.PROTECT, null=True, related_name="clones"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, editable=False)

    objects = ServiceInstanceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [
            ("back_up_serviceinstance", "Can back up service instance"),
            ("set_backup_policy_serviceinstance", "Can set backup policy"),
            ("upload_backup_serviceinstance", "Can upload backup"),
            ("upgrade_serviceinstance", "Can upgrade service instance"),
            ("move_serviceinstance", "Can move service instance"),
            ("lift_disk_limit_serviceinstance", "Can lift disk limit for an hour"),
            ("deprovision_serviceinstance", "Can deprovision service instance"),
            ("force_deprovision_serviceinstance", "Can force or forget deprovision"),
            ("restart_serviceinstance", "Can restart, stop and start database"),
            ("resize_serviceinstance", "Can change plan of service instance"),
            ("rotate_secret_serviceinstance", "Can rotate admin secret of database"),
        ]
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return self.instance_name or self.guid

    @classmethod
    def new(
        cls, *, guid: str, context: dict[str, Any], **fields: Any
    ) -> "ServiceInstance":
        """An unsaved instance with its keys and the names from the context."""
        key = digest(guid)
        return cls(
            guid=guid,
            key=key,
            live_key=key,
            context=context,
            instance_name=_name_in(context),
            **fields,
        )

    def rename(self, context: dict[str, Any]) -> None:
        """Take over the names of today: cf rename-service sends nothing else."""
        if not context or context == self.context:
            return
        self.context = {**self.context, **context}
        self.instance_name = _name_in(self.context)
        self.save(update_fields=["context", "instance_name"])

    @property
    def database(self) -> str:
        """The database's name inside the engine: ours, never the platform's text."""
        if self.restored_name:
            return self.restored_name
        return f"d{self.id.hex[:24]}"


_KEY = Slot("key", models.CharField())
_LIVE = Prepared(
    lambda: (
        ServiceInstance.objects.select_related(
            "plan__offering", "container__host", "container__lease"
        )
        .filter(live_key=_KEY)
        .order_by()
    )
)
_LOCKED: Prepared[ServiceInstance] = Prepared(
    lambda: (
        ServiceInstance.objects.select_for_update()
        .filter(pk=Slot("pk", models.UUIDField()))
        .order_by()
        .values_list("live_key", "state", "plan_id", "container_id")
    )
)
_LIVE_IN_SHORT = Prepared(lambda: _in_short().filter(live_key=_KEY).order_by())
_GONE_IN_SHORT = Prepared(
    lambda: _in_short().filter(key=_KEY).order_by("-created_at", "-pk")[:1]
)


def _in_short() -> ServiceInstanceQuerySet:
    return ServiceInstance.objects.select_related("plan").only("key", "plan__offering")


def _name_in(context: dict[str, Any]) -> str:
    name = context.get("instance_name")
    return name[:255] if isinstance(name, str) else ""
