"""Containers: one row for every container that this broker ever creates."""

import uuid

from django.db import models
from django.db.models.functions import Now

from instances.encryption import EncryptedTextField
from instances.models.docker_host import DockerHost
from instances.models.state import StatefulModel


class ContainerState(models.TextChoices):
    STARTING = "starting"
    IN_USE = "in_use", "in use"
    RETIRING = "retiring"
    GONE = "gone"


class ContainerQuerySet(models.QuerySet["Container"]):
    def mark_gone(self, container: "Container") -> None:
        """It has been seen to be gone; whoever else saw it too changes nothing."""
        rows = self.filter(pk=container.pk).exclude(state=ContainerState.GONE)
        rows.update(state=ContainerState.GONE, gone_at=Now(), admin_secret="")


class Container(StatefulModel):
    """A database's container. The row comes first; its id is the label.

    Image and limits are those it was made with: editing the plan does not
    change them.
    """

    State = ContainerState

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(
        DockerHost, on_delete=models.PROTECT, related_name="containers"
    )
    engine = models.CharField(max_length=50)
    image = models.CharField(max_length=255)
    memory_mb = models.PositiveIntegerField("memory (MiB)")
    cpus = models.DecimalField("CPUs", max_digits=5, decimal_places=2)
    pids = models.PositiveIntegerField("processes")
    admin_secret = EncryptedTextField(editable=False)
    state = models.CharField(
        max_length=20, choices=ContainerState, default=ContainerState.STARTING
    )
    created_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, editable=False)

    objects = ContainerQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["host", "state"])]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in Docker: the same at every try, never the platform's id."""
        return f"brokersite-{self.id.hex}"

    @property
    def port(self) -> int | None:
        lease = getattr(self, "lease", None)
        return lease.number if lease else None

    def retire(self) -> None:
        """Mark for removal, whatever it was doing."""
        rows = Container.objects.filter(pk=self.pk).exclude(state=ContainerState.GONE)
        if rows.update(state=ContainerState.RETIRING):
            self.state = ContainerState.RETIRING
