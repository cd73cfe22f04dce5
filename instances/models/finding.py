"""Findings: where a Docker host and the rows are not in step, and nothing cures it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import models

from instances.models.docker_host import DockerHost


class FindingKind(models.TextChoices):
    """Each with its sentence; what is done about it is in CURES."""

    BRAKE = "brake", "Many databases are missing at once."
    UNWANTED = "unwanted", "Its row waits for its removal, or is gone."
    LEFT = "left", "A throw-away container that no row knows."
    UNKNOWN = "unknown", "A container of this broker that no row knows."
    NOBODYS = "nobodys", "Nobody waits for this start any more."
    NO_STANDBY = "no_standby", "A standby is not there any more."
    LOST = "lost", "The container of a service instance is not there any more."
    BACK = "back", "A container that was lost is there again."
    DOWN = "down", "It does not run, and it should."
    PAUSED = "paused", "It is paused, and nobody is at work on it."
    LIMITS = "limits", "Its limits are not those of its row."
    PORT = "port", "It does not publish the port that is leased to it."
    SILENT = "silent", "It runs, and nobody listens on its port."
    KEPT_PORT = "kept_port", "Something is on a port that is nobody's."
    IMAGE = "image", "It was made of another image than its row says."
    RENAMED = "renamed", "A container of ours has another name by now."
    WEDGED = "wedged", "Docker does not answer when it is asked about it."
    GHOST = "ghost", "A database user whose binding has ended."
    MISSING_USER = "missing_user", "The database user of a binding is not there."
    UNKNOWN_USER = "unknown_user", "A database user that no row knows."
    LEFTOVER = "leftover", "A volume or network with this broker's label."


_Kind = FindingKind
CURES: Mapping[str, str] = {
    _Kind.BRAKE: "nothing is done on this host until they are back, or an operator "
    "says that they are really gone",
    _Kind.UNWANTED: "it is removed",
    _Kind.LEFT: "it is removed: no database was ever in use there",
    _Kind.UNKNOWN: "it is left alone: adopt it or remove it on the page of the host",
    _Kind.NOBODYS: "it is removed",
    _Kind.NO_STANDBY: "another one takes its place",
    _Kind.LOST: "the service instance is marked lost: restore its last backup",
    _Kind.BACK: "the mark is taken away",
    _Kind.DOWN: "it is started",
    _Kind.PAUSED: "it goes on",
    _Kind.LIMITS: "they are set back in place",
    _Kind.PORT: "nothing: an upgrade or a restore of the service instance makes it "
    "anew under its port",
    _Kind.SILENT: "it is restarted after some minutes, and then ever less often: after "
    "a crash, Docker may have lost the port",
    _Kind.KEPT_PORT: "nobody gets the port; if no other program listens there, Docker "
    "keeps it for a container that has gone, until its daemon is restarted",
    _Kind.IMAGE: "nothing: an upgrade of the service instance makes it anew",
    _Kind.RENAMED: "nothing: give it its name again with docker rename",
    _Kind.WEDGED: "nothing: restart the Docker daemon of the host",
    _Kind.GHOST: "it is dropped, and its sessions end",
    _Kind.MISSING_USER: "it is made again, with the password that the app has",
    _Kind.UNKNOWN_USER: "nothing: the rows may be an older copy; drop it by hand",
    _Kind.LEFTOVER: "nothing: this release makes none; remove it by hand",
}


class FindingQuerySet(models.QuerySet["Finding"]):
    def sync(
        self,
        host: DockerHost,
        standing: Iterable["Finding"],
        is_kept: Callable[["Finding"], bool],
    ) -> list["Finding"]:
        """Make the host's findings these; those are kept that nobody has looked at.

        Return the new ones.
        """
        new = []
        known = {(row.kind, row.name): row for row in self.filter(host=host)}
        coming = {(row.kind, row.name): row for row in standing}
        for key, row in coming.items():
            former = known.pop(key, None)
            if former is None:
                new.append(row)
                self.update_or_create(
                    host=host, kind=row.kind, name=row.name, defaults=row.said
                )
            elif former.said != row.said:
                self.filter(pk=former.pk).update(**row.said)
        ended = [row.pk for row in known.values() if not is_kept(row)]
        if ended:
            self.filter(pk__in=ended).delete()
        return new


class Finding(models.Model):
    """Something that a pass has found, and that was still so when it ended."""

    Kind = FindingKind
    LONGEST_NAME = 255

    host = models.ForeignKey(
        DockerHost, on_delete=models.CASCADE, related_name="standing"
    )
    kind = models.CharField(max_length=20, choices=FindingKind)
    name = models.CharField(max_length=LONGEST_NAME)
    """Of the container, volume, network or port; with a user's behind a slash."""
    text = models.TextField(blank=True, default="", db_default="")
    """What is so, in this case."""
    details = models.JSONField(default=dict)
    """Of a container without a row: image, port, state, created."""
    found_at = models.DateTimeField(auto_now_add=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["host", "kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["host", "kind", "name"], name="one_finding_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_kind_display()}"

    @property
    def cure(self) -> str:
        """Empty for a kind that only a later release knows (FAILURES F122)."""
        return CURES.get(self.kind, "")

    @property
    def said(self) -> dict[str, Any]:
        return {"text": self.text, "details": self.details}
