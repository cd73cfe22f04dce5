"""Containers: one row for every container that this broker ever creates."""

import json
import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from instances import errors
from instances.encryption import EncryptedTextField
from instances.models.clock import claim_period, claim_until
from instances.models.disk import HELD_TO, DiskUse
from instances.models.docker_host import IS_STANDBY, DockerHost
from instances.models.prepared import Prepared, Slot
from instances.models.service_offering import ServicePlan
from instances.models.state import StatefulModel

MADE_WITH = ("image", "settings", "memory_mb", "cpus", "pids")
"""What a container takes from its plan, and a standby must still have in common."""


def is_same(has: object, says: object) -> bool:
    """As the database has it: to Python, 1 is True."""
    if isinstance(has, dict):
        return json.dumps(has, sort_keys=True) == json.dumps(says, sort_keys=True)
    return has == says


class ContainerState(models.TextChoices):
    STARTING = "starting"
    STANDBY = "standby"
    ADOPTING = "adopting"
    IN_USE = "in_use", "in use"
    KEPT = "kept"
    SCRATCH = "scratch"
    RETIRING = "retiring"
    GONE = "gone"


class ContainerQuerySet(models.QuerySet["Container"]):
    def standbys(self) -> "ContainerQuerySet":
        """Those that no instance has, the ones that are still starting included."""
        return self.filter(IS_STANDBY)

    def claim_standby(self, plan: ServicePlan) -> "Container | None":
        """Take one that is as the plan is today, the oldest first, for an instance."""
        for container in _READY.rows(plan=plan.pk):
            mine = self.filter(pk=container.pk, state=ContainerState.STANDBY)
            limits = {name: getattr(plan, name) for name in HELD_TO}
            if mine.update(state=ContainerState.ADOPTING, **limits):
                container.state = ContainerState.ADOPTING
                return container
        return None

    def mark_gone(self, container: "Container") -> None:
        """It has been seen to be gone; whoever else saw it too changes nothing."""
        rows = self.filter(pk=container.pk).exclude(state=ContainerState.GONE)
        secrets = {"admin_secret": "", "first_secret": "", "next_secret": ""}
        rows.update(state=ContainerState.GONE, gone_at=Now(), **secrets)


class Container(StatefulModel, DiskUse):
    """A database's container. The row comes first; its id is the label.

    Image, settings and limits are those it was made with: editing the plan does
    not change them.
    """

    State = ContainerState

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(
        DockerHost, on_delete=models.PROTECT, related_name="containers"
    )
    plan = models.ForeignKey(
        ServicePlan, on_delete=models.PROTECT, null=True, related_name="containers"
    )
    engine = models.CharField(max_length=50)
    image = models.CharField(max_length=255)
    settings = models.JSONField(default=dict, blank=True)
    memory_mb = models.PositiveIntegerField("memory (MiB)")
    cpus = models.DecimalField("CPUs", max_digits=5, decimal_places=2)
    pids = models.PositiveIntegerField("processes")
    admin_secret = EncryptedTextField(editable=False)
    first_secret = EncryptedTextField(
        editable=False, blank=True, default="", db_default=""
    )
    """The one that it was made with, if that has been rotated since: an image gives
    its administrator no other password as long as it is started with the same one."""
    next_secret = EncryptedTextField(
        editable=False, blank=True, default="", db_default=""
    )
    """What a rotation is about to set: until it is seen to hold, either may."""
    stopped_at = models.DateTimeField(null=True, editable=False)
    """Since when an operator wants it stopped; nothing but their start ends that."""
    state = models.CharField(
        max_length=20, choices=ContainerState, default=ContainerState.STARTING
    )
    claimed_until = models.DateTimeField(null=True, editable=False)
    """How long it is one worker's to start; null if an instance waits for it."""
    succeeds = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="successors",
    )
    """The one whose data and port it takes over, or took."""
    placed_because = ""
    """Why on that host, for whoever has just placed it; it is not stored here."""
    created_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, editable=False)
    lost_at = models.DateTimeField("lost since", null=True, editable=False)
    """When it was found that Docker has it no more, and nobody has removed it."""

    objects = ContainerQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        # Not (host, state): MariaDB would lock the host's row, to check the foreign
        # key, whenever a state changes, and that against the order of placement.
        indexes = [models.Index(fields=["state", "host"])]

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

    def lose(self) -> bool:
        """Mark one in use as lost; whether that is new."""
        rows = Container.objects.filter(pk=self.pk, state=ContainerState.IN_USE)
        return bool(rows.filter(lost_at=None).update(lost_at=Now()))

    def reappear(self) -> bool:
        """Take the mark away; whether there was one."""
        rows = Container.objects.filter(pk=self.pk, lost_at__isnull=False)
        return bool(rows.update(lost_at=None))

    def dismiss(self) -> bool:
        """Retire a standby, unless an instance has got it meanwhile."""
        rows = Container.objects.standbys().filter(pk=self.pk)
        if not rows.update(state=ContainerState.RETIRING):
            return False
        self.state = ContainerState.RETIRING
        # Its memory counts as free from now on.
        self.host.reconcile_soon()
        return True

    def current_successors(self) -> "models.QuerySet[Container]":
        """What is to take its place, as long as that is under way."""
        states = (ContainerState.STARTING, ContainerState.ADOPTING)
        return self.successors.filter(state__in=states).select_related("host")

    def is_as_planned(self) -> bool:
        """Whether its plan would make it the same today."""
        plan = self.plan
        return (
            plan is not None
            and self.engine == plan.offering.engine
            and all(
                is_same(getattr(self, name), getattr(plan, name)) for name in MADE_WITH
            )
        )

    def claim(self) -> bool:
        """Take it for starting it as a standby, if no other worker has it."""
        return self._prolong(Q(claimed_until=None) | Q(claimed_until__lt=Now()))

    def hold(self) -> None:
        """Prolong the claim. Raise LeaseLost if it is another's, or is not wanted."""
        if not self._prolong(Q(claimed_until=self.claimed_until)):
            raise errors.LeaseLost(detail=f"{self} was taken away while it started")

    def stand_by(self) -> None:
        """Ready to be handed out. Raise LeaseLost, as hold() does."""
        mine = Container.objects.filter(pk=self.pk, claimed_until=self.claimed_until)
        state = ContainerState.STANDBY
        if not mine.filter(state=ContainerState.STARTING).update(
            state=state, claimed_until=None
        ):
            raise errors.LeaseLost(detail=f"{self} was taken away while it started")
        self.state, self.claimed_until = state, None

    def prolong(self) -> None:
        """Keep a throw-away one for another while."""
        mine = Container.objects.filter(pk=self.pk, state=ContainerState.SCRATCH)
        mine.update(claimed_until=Now() + claim_period())

    def let_go(self) -> None:
        """Leave it for any worker to go on with."""
        mine = Container.objects.filter(pk=self.pk, claimed_until=self.claimed_until)
        mine.update(claimed_until=Now())

    def _prolong(self, condition: Q) -> bool:
        mine = Container.objects.filter(pk=self.pk)
        until = claim_until(mine)
        rows = mine.filter(condition, state=ContainerState.STARTING)
        claimed = rows.update(claimed_until=until)
        if claimed:
            self.claimed_until = until
        return bool(claimed)


_READY = Prepared(
    lambda: (
        Container.objects.filter(
            state=ContainerState.STANDBY,
            plan=Slot("plan", models.CharField()),
            engine=F("plan__offering__engine"),
            host__state=DockerHost.State.ACTIVE,
            host__problem="",
            host__braked_at=None,
            **{name: F(f"plan__{name}") for name in MADE_WITH},
        )
        .select_related("host", "lease")
        .order_by("created_at")[:8]
    )
)
