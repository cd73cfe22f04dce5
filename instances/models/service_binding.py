"""Service bindings: a database user each."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from instances import errors
from instances.encryption import EncryptedJSONField, EncryptedTextField
from instances.models.prepared import Prepared, Slot
from instances.models.service_instance import ServiceInstance, digest
from instances.models.state import StatefulModel


class BindingState(models.TextChoices):
    CREATING = "creating"
    READY = "ready"
    EXPIRED = "expired"
    """Its time is over: its user is gone or going, and the platform may still ask."""
    DELETING = "deleting"
    GONE = "gone"


MADE = (BindingState.READY, BindingState.EXPIRED)
"""States of bindings that a platform has got, and may fetch."""
APP_NAME = "/name"
LONGEST_NOTICE = timedelta(days=30)


class ServiceBindingQuerySet(models.QuerySet["ServiceBinding"]):
    def overdue(self) -> "ServiceBindingQuerySet":
        """Those whose time is over and whose users can still log in."""
        return self.filter(state=BindingState.READY, expires_at__lte=Now())

    def stale(self) -> "ServiceBindingQuerySet":
        """Those whose apps still have an address from before a move.

        A later binding of the same app, or one that succeeds it, has the new one.
        """
        ready = ServiceBinding.objects.filter(state=BindingState.READY)
        later = ready.filter(
            instance=OuterRef("instance"), created_at__gt=OuterRef("stale_since")
        )
        replaced = later.filter(app_guid=OuterRef("app_guid")).exclude(app_guid="")
        rows = self.filter(state=BindingState.READY, stale_since__isnull=False)
        return rows.exclude(Exists(replaced)).exclude(
            Exists(later.filter(predecessor=OuterRef("pk")))
        )

    def find_live(
        self, instance: ServiceInstance, guid: str
    ) -> "ServiceBinding | None":
        return _LIVE.find(key=binding_key(instance, guid))

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
    app_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    """By an annotation, or as Cloud Controller calls it today. For operators: app
    developers of another space may have bound it."""
    bind_resource = models.JSONField(default=dict, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    password = EncryptedTextField(editable=False)
    """Made before the user is: a second try applies the same one (FAILURES F66)."""
    credentials = EncryptedJSONField(blank=True, editable=False)
    state = models.CharField(
        max_length=20, choices=BindingState, default=BindingState.CREATING
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, editable=False)
    """In whole seconds, so that it is the same in every database and answer."""
    stale_since = models.DateTimeField(null=True, editable=False)
    """When the address changed that apps were given; see stale()."""
    gone_at = models.DateTimeField(null=True, editable=False)
    orphaned_at = models.DateTimeField(null=True, editable=False, db_index=True)
    """Since when the platform is seen not to know it."""
    connected_at = models.DateTimeField(null=True, editable=False)
    """When its user was last seen connected: a worker looks about every minute."""

    objects = ServiceBindingQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        permissions = [("reveal_servicebinding", "Can reveal credentials")]
        indexes = [
            models.Index(fields=["instance", "state"]),
            models.Index(fields=["state", "expires_at"]),
        ]

    def __str__(self) -> str:
        return self.guid

    @property
    def username(self) -> str:
        """The user's name inside the engine: at most 32 characters, as MySQL asks."""
        return f"u{self.id.hex[:24]}"

    @property
    def app(self) -> str:
        """Its app's name, if it is known. Rows of earlier releases have no column."""
        return self.app_name or app_name_in(self.bind_resource)

    @property
    def is_usable(self) -> bool:
        """Whether an app can log in with it, and another binding can succeed it."""
        is_over = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.state == BindingState.READY and not is_over

    @property
    def renew_before(self) -> datetime | None:
        """When the platform should have renewed it: the last quarter is for that."""
        if self.expires_at is None:
            return None
        lifetime = self.expires_at - self.created_at.replace(microsecond=0)
        return self.expires_at - min(lifetime / 4, LONGEST_NOTICE)

    def live_for(self, days: int | None) -> None:
        """Begin its lifetime now; for ever without a number."""
        if days is not None:
            now = timezone.now().replace(microsecond=0)
            self.expires_at = now + timedelta(days=days)


_LIVE = Prepared(
    lambda: ServiceBinding.objects.filter(
        live_key=Slot("key", models.CharField())
    ).order_by()
)


def app_name_in(bind_resource: Any) -> str:
    """What an annotation says, such as example.com/name: shop.

    Cloud Foundry sends no other name of an app, and of annotations only such.
    """
    annotations = _mapping(_mapping(bind_resource).get("app_annotations"))
    named = sorted(key for key in annotations if key.endswith(APP_NAME))
    name = annotations[named[0]] if named else ""
    return name[:255] if isinstance(name, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def binding_key(instance: ServiceInstance, guid: str) -> str:
    """OSB 2.17, Binding: an id is only compared within its own instance."""
    return digest(instance.id.hex, guid)
