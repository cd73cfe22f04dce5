"""Service bindings: a database user each."""

import uuid

from django.db import models

from instances import errors
from instances.encryption import EncryptedJSONField, EncryptedTextField
from instances.models.service_instance import ServiceInstance, digest
from instances.models.state import StatefulModel


class BindingState(models.TextChoices):
    CREATING = "creating"
    READY = "ready"
    DELETING = "deleting"
    GONE = "gone"


class ServiceBindingQuerySet(models.QuerySet["ServiceBinding"]):
    def find_live(
        self, instance: ServiceInstance, guid: str
    ) -> "ServiceBinding | None":
        try:
            return self.get(live_key=binding_key(instance, guid))
        except self.model.DoesNotExist:
            return None

    def get_live(self, instance: ServiceInstance, guid: str) -> "ServiceBinding":
        """Raise NotFound."""
        binding = self.find_live(instance, guid)
        if binding is None:
            raise errors.NotFound("There is no such service binding.")
        return binding


class ServiceBinding(StatefulModel):
    """A user of the instance's database, with a password of its own."""

    State = BindingState

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    guid = models.CharField(max_length=500)
    live_key = models.CharField(max_length=64, unique=True, null=True, editable=False)
    instance = models.ForeignKey(
        ServiceInstance, on_delete=models.PROTECT, related_name="bindings"
    )
    predecessor = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="successors"
    )
    app_guid = models.CharField(max_length=255, blank=True)
    bind_resource = models.JSONField(default=dict, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    password = EncryptedTextField(editable=False)
    """Made before the user is: a second try applies the same one (FAILURES F66)."""
    credentials = EncryptedJSONField(blank=True, editable=False)
    state = models.CharField(
        max_length=20, choices=BindingState, default=BindingState.CREATING
    )
    created_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, editable=False)

    objects = ServiceBindingQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["instance", "state"])]

    def __str__(self) -> str:
        return self.guid

    @property
    def username(self) -> str:
        """The user's name inside the engine: at most 32 characters, as MySQL asks."""
        return f"u{self.id.hex[:24]}"


def binding_key(instance: ServiceInstance, guid: str) -> str:
    """OSB 2.17, Binding: an id is only compared within its own instance."""
    return digest(instance.id.hex, guid)
