"""Docker hosts and their registry of ports."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from instances import certificates
from instances.addresses import REFUSAL, SHAPE, is_address, is_insecure
from instances.encryption import EncryptedTextField
from instances.models.brake import Brake

HOLDING = ("starting", "standby", "adopting", "in_use")
"""States of containers whose memory counts."""
GIVEN = Q(state__in=HOLDING) | Q(state="kept", lease__isnull=False)
"""Containers whose memory counts: a kept one has its port as long as its successor is
on another host, and may come back there."""
IS_STANDBY = Q(state="standby") | Q(state="starting", claimed_until__isnull=False)

_LABELS = re.compile(r"[\w.=/-]+( +[\w.=/-]+)*", re.ASCII)
_HOST_KEY = re.compile(r"(ssh|ecdsa|sk)-[\w.@-]+ [A-Za-z0-9+/=]+( .*)?", re.ASCII)

_port_limits = [MinValueValidator(1024), MaxValueValidator(65535)]


class HostState(models.TextChoices):
    ACTIVE = "active"
    CORDONED = "cordoned"
    DRAINING = "draining"
    REMOVED = "removed"


class DockerHostQuerySet(models.QuerySet["DockerHost"]):
    def trusted(self) -> "DockerHostQuerySet":
        """Without those where another Docker Engine answers than the known one."""
        return self.filter(other_engine_id="")


_AllHosts = models.Manager.from_queryset(DockerHostQuerySet)


class _KnownHosts(_AllHosts):
    """Without those that were removed: their rows stay for the history alone."""

    def get_queryset(self) -> Any:
        return super().get_queryset().exclude(state=HostState.REMOVED)


def check_labels(text: str) -> None:
    """Raise ValidationError unless these are words with spaces between them."""
    if text.strip() and not _LABELS.fullmatch(text.strip()):
        raise ValidationError(
            "Give words with spaces between them, such as ssd zone=a: letters, digits "
            "and . = / - _."
        )


class DockerHost(Brake):
    """One Docker Engine and the address at which its databases are reached."""

    State = HostState

    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(
        "URL",
        max_length=255,
        unique=True,
        help_text="unix://PATH, tcp://HOST:PORT or ssh://USER@HOST",
    )
    tls_ca = models.TextField("CA", blank=True, default="", db_default="")
    tls_certificate = models.TextField(
        "client certificate", blank=True, default="", db_default=""
    )
    tls_key = EncryptedTextField(
        "key of the client certificate", blank=True, default="", db_default=""
    )
    ssh_key = EncryptedTextField("ssh key", blank=True, default="", db_default="")
    ssh_host_key = models.TextField(
        "host key of the machine", blank=True, default="", db_default=""
    )
    database_host = models.CharField(
        max_length=255, help_text="The host name or address that apps are given."
    )
    publish_address = models.GenericIPAddressField(
        help_text="The address on the host on which databases listen."
    )
    # Below 32768, where Linux's ephemeral range begins (FACTS §2).
    port_min = models.PositiveIntegerField(default=20000, validators=_port_limits)
    port_max = models.PositiveIntegerField(default=29999, validators=_port_limits)
    memory_mb = models.PositiveIntegerField(
        "memory budget (MiB)", help_text="What all databases together may be given."
    )
    reserve_mb = models.PositiveIntegerField(
        "disk kept free (MiB)",
        default=1024,
        db_default=1024,
        help_text="A backup or a restore that would leave less is refused.",
    )
    state = models.CharField(max_length=20, choices=HostState, default=HostState.ACTIVE)
    labels = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        validators=[check_labels],
        help_text="Words with spaces between them, such as ssd zone=a: plans may ask "
        "for some.",
    )
    engine_id = models.CharField(
        "Docker's id", max_length=255, editable=False, default="", db_default=""
    )
    """The engine that first answered; no other one is taken for it (FAILURES F44)."""
    other_engine_id = models.CharField(
        max_length=255, editable=False, default="", db_default=""
    )
    """The one that answers in its place: nothing is done here until it is settled."""
    present_images = models.JSONField(null=True, editable=False)
    """Those of the plans' images that it has; null: not known."""
    findings = models.JSONField(null=True, editable=False)
    """What the last test of the connection has found: [{level, text, cure}]."""
    checked_at = models.DateTimeField(null=True, editable=False)
    reached_at = models.DateTimeField("last contact", null=True, editable=False)
    problem = models.TextField(blank=True, editable=False)
    """Why the last contact failed; empty after a good one."""
    reconcile_after = models.DateTimeField(null=True, editable=False)
    measure_after = models.DateTimeField(null=True, editable=False)
    sample_after = models.DateTimeField(null=True, editable=False)
    free_bytes = models.BigIntegerField("disk free", null=True, editable=False)
    """What Docker's disk had free when it was last asked; null: nobody could say."""
    free_measured_at = models.DateTimeField(null=True, editable=False)
    drain_since = models.DateTimeField(null=True, editable=False)
    drain_at_once = models.PositiveSmallIntegerField(
        default=2, db_default=2, editable=False
    )
    """How many service instances a drain moves at a time."""
    drain_is_safe = models.BooleanField(default=True, db_default=True, editable=False)
    """Whether each is backed up before."""
    drain_asked_by = models.CharField(
        max_length=255, editable=False, default="", db_default=""
    )

    # The first one is what dumpdata writes: containers of the past name their hosts.
    with_removed = DockerHostQuerySet.as_manager()
    objects = _KnownHosts()

    class Meta:
        ordering = ["name"]
        permissions = [
            ("check_dockerhost", "Can test connection of Docker host"),
            ("prestage_dockerhost", "Can prestage images on Docker host"),
            ("reconcile_dockerhost", "Can settle what is found on Docker host"),
            ("drain_dockerhost", "Can drain Docker host"),
            ("remove_dockerhost", "Can remove Docker host"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(port_min__lte=F("port_max")), name="port_range_in_order"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_tls(self) -> bool:
        return bool(self.tls_ca)

    @property
    def is_insecure(self) -> bool:
        return is_insecure(self.url, has_tls=self.has_tls)

    @property
    def is_quarantined(self) -> bool:
        """Whether another Docker Engine answers than the known one."""
        return bool(self.other_engine_id)

    @property
    def is_open(self) -> bool:
        """Whether it takes new databases, if it has room."""
        is_doubtful = self.is_quarantined or self.is_braked
        return self.state == HostState.ACTIVE and not is_doubtful

    @property
    def expires_at(self) -> datetime | None:
        """When its first certificate expires."""
        return certificates.expires_at(self.tls_ca, self.tls_certificate)

    def clean(self) -> None:
        found: dict[str, list[str]] = {}
        for name, sentence in self._mistakes():
            found.setdefault(name, []).append(sentence)
        if found:
            raise ValidationError(found)

    def _mistakes(self) -> Iterator[certificates.Mistake]:
        if self.port_min and self.port_max and self.port_min > self.port_max:
            yield "port_max", "Give a number above the lowest port."
        if not is_address(self.url):
            yield "url", SHAPE
            return
        scheme = self.url.partition(":")[0]
        pems = (self.tls_ca, self.tls_certificate, self.tls_key)
        if any(pems) and scheme != "tcp":
            yield "tls_ca", "Certificates are for tcp:// only: leave all three empty."
        elif any(pems):
            yield from certificates.mistakes(
                ca=pems[0], certificate=pems[1], key=pems[2], now=timezone.now()
            )
        elif self.is_insecure and not settings.ALLOW_INSECURE_DOCKER:
            yield "url", REFUSAL
        if scheme == "ssh":
            yield from self._ssh_mistakes()

    def _ssh_mistakes(self) -> Iterator[certificates.Mistake]:
        lines = [line.strip() for line in self.ssh_host_key.splitlines()]
        lines = [line for line in lines if line]
        if not lines or not all(map(_HOST_KEY.fullmatch, lines)):
            yield (
                "ssh_host_key",
                "Give the machine's public host key, such as ssh-ed25519 AAAA…: what "
                "ssh-keyscan prints, without the name in front, compared with "
                "/etc/ssh/ssh_host_*_key.pub on that machine.",
            )
        if "PRIVATE KEY-----" not in self.ssh_key:
            yield (
                "ssh_key",
                "Give a private key without a passphrase, from -----BEGIN … PRIVATE "
                "KEY----- on: ssh-keygen -t ed25519 -N '' makes one.",
            )

    def quarantine(self, found: str) -> None:
        """Another engine answers: nothing more is asked of it (FAILURES F44)."""
        DockerHost.objects.filter(pk=self.pk).update(other_engine_id=found[:255])
        self.other_engine_id = found[:255]

    def pin(self, engine_id: str) -> bool:
        """Know the engine from now on, if none is known; whether that was so."""
        unknown = DockerHost.objects.filter(pk=self.pk, engine_id="")
        if not unknown.update(engine_id=engine_id[:255]):
            return False
        self.engine_id = engine_id[:255]
        return True

    def settle(self, engine_id: str) -> None:
        """End the quarantine with this engine as the known one."""
        changes = {"engine_id": engine_id, "other_engine_id": "", "problem": ""}
        DockerHost.objects.filter(pk=self.pk).update(**changes, reconcile_after=None)

    def free_memory_mb(self) -> int:
        """What is left of the budget."""
        given = self.containers.filter(GIVEN).aggregate(given=Sum("memory_mb"))
        return self.memory_mb - (given["given"] or 0)

    def reconcile_soon(self) -> None:
        """What is retiring goes at the next pass, not only at the regular one."""
        DockerHost.objects.filter(pk=self.pk).update(reconcile_after=None)

    def note_contact(self, problem: str = "") -> None:
        """Record that the host was reached just now, or why not."""
        changes: dict[str, object] = {"problem": problem}
        if not problem:
            changes["reached_at"] = Now()
        DockerHost.objects.filter(pk=self.pk).update(**changes)
