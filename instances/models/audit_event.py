"""Who did what: written with every wish, never changed."""

from dataclasses import dataclass
from typing import Any

from django.db import models

from instances.models.docker_host import DockerHost
from instances.models.service_instance import ServiceInstance


@dataclass(frozen=True)
class Actor:
    """Who asks: a platform on behalf of its user, an operator, or the worker."""

    kind: str
    name: str
    request_id: str = ""


WORKER = Actor(kind="worker", name="worker")


class AuditEvent(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    actor_kind = models.CharField(max_length=20)
    actor_name = models.CharField(max_length=255)
    action = models.CharField(max_length=50)
    target = models.CharField(max_length=600)
    instance = models.ForeignKey(
        ServiceInstance, on_delete=models.SET_NULL, null=True, related_name="audit"
    )
    request_id = models.CharField(max_length=255, blank=True)
    changes = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"

    @classmethod
    def record(
        cls, actor: Actor, action: str, instance: ServiceInstance, **changes: Any
    ) -> None:
        """Note the wish. The changes hold names and ids, never a secret."""
        cls.objects.create(
            actor_kind=actor.kind,
            actor_name=actor.name[:255],
            action=action,
            target=f"service instance {instance.guid}",
            instance=instance,
            request_id=actor.request_id[:255],
            changes=changes,
        )

    @classmethod
    def of_host(
        cls, actor: Actor, action: str, host: DockerHost, **changes: Any
    ) -> None:
        """Note a wish that is about a Docker host."""
        cls.objects.create(
            actor_kind=actor.kind,
            actor_name=actor.name[:255],
            action=action,
            target=f"Docker host {host.name}",
            request_id=actor.request_id[:255],
            changes=changes,
        )
