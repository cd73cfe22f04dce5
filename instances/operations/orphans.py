"""Orphans: what a platform does not know any more, and has not told (FAILURES F20).

`cf purge-service-instance` tells no broker, and a platform that was restored from an
older copy knows less than before. Orphans are marked and shown; nothing here removes
one.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from instances import errors
from instances.cloud_controller import MOST_GUIDS
from instances.models import Operation, ServiceBinding, ServiceInstance
from instances.models.service_binding import MADE
from instances.operations import platform_names

logger = logging.getLogger(__name__)

CLOUD_FOUNDRY = "cloudfoundry"
GRACE = timedelta(hours=1)
"""What is younger is not judged: its platform may still be busy with it."""
FEW = 5
"""Of more than so many, it is not believed that more than a fifth are orphans."""
_State = ServiceInstance.State
Question = Callable[[Sequence[str]], Mapping[str, str]]
Note = Callable[[Sequence[Any], Mapping[str, str]], None]


class Platform(Protocol):
    """Who is asked. The answers are names by guid, of those that it knows."""

    @property
    def host(self) -> str:
        """Of its Cloud Controller; empty: whichever."""

    @property
    def has_bindings(self) -> bool: ...

    def can_know(self, guid: str) -> bool: ...

    def service_instances(self, guids: Sequence[str]) -> Mapping[str, str]: ...

    def service_bindings(self, guids: Sequence[str]) -> Mapping[str, str]: ...


class Listed:
    """The guids that an operator has got from a platform: they have no names here."""

    host = ""

    def __init__(
        self, instances: Iterable[str], bindings: Iterable[str] | None = None
    ) -> None:
        self._instances = frozenset(instances)
        self._bindings = frozenset(bindings or ())
        self.has_bindings = bindings is not None

    def can_know(self, guid: str) -> bool:
        return True

    def service_instances(self, guids: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(self._instances.intersection(guids), "")

    def service_bindings(self, guids: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(self._bindings.intersection(guids), "")


@dataclass
class Part:
    """What came out for the service instances, or for their bindings."""

    what: str
    known: list[Any] = field(default_factory=list)
    marked: list[Any] = field(default_factory=list)
    """Orphans since an earlier time."""
    new: list[Any] = field(default_factory=list)
    believes: bool = False
    """Whatever the answer is."""

    @property
    def orphans(self) -> list[Any]:
        return self.marked if self.doubt else [*self.marked, *self.new]

    @property
    def doubt(self) -> str:
        """Why no new one is believed to be an orphan; empty: they are."""
        known, total = len(self.known), len(self.known) + len(self.new)
        if self.believes or total <= FEW or known * 5 >= total * 4:
            return ""
        return f"The platform knows only {known} of {total} {self.what}."


@dataclass(frozen=True)
class Report:
    instances: Part
    bindings: Part
    others: int
    """Service instances of other platforms, or of none: nobody was asked for them."""

    @property
    def doubt(self) -> str:
        return " ".join(filter(None, (self.instances.doubt, self.bindings.doubt)))


@dataclass(frozen=True)
class Comparison:
    """Of all rows with what the platform says, a batch at a time."""

    platform: Platform
    name: str = CLOUD_FOUNDRY
    """What the platform is called in the context of its service instances."""
    believes: bool = False
    is_dry: bool = False
    """Whether nothing is marked and no name is taken over."""
    is_stopping: Callable[[], bool] = lambda: False

    def run(self) -> Report:
        """Raise PlatformUnavailable, Interrupted."""
        live = ServiceInstance.objects.filter(live_key__isnull=False)
        # The rows first: what is made after this is not looked for.
        rows = self._askable(_short(self._mine(live), "instance_name"))
        instances = self._compare(
            Part("service instances", believes=self.believes),
            rows,
            self.platform.service_instances,
            platform_names.note_instances,
        )
        others = live.count() - len(rows)
        return Report(instances, self._bindings(instances), others)

    def _bindings(self, instances: Part) -> Part:
        """Of known instances: those of the others go with them."""
        part = Part("service bindings", believes=self.believes)
        if not self.platform.has_bindings:
            return part
        known = {row.pk for row in instances.known}
        made = ServiceBinding.objects.filter(live_key__isnull=False, state__in=MADE)
        rows = self._askable(_short(made, "instance", "app_name", "app_guid"))
        rows = [row for row in rows if row.instance_id in known]
        return self._compare(
            part, rows, self.platform.service_bindings, platform_names.note_bindings
        )

    def _mine(self, rows: QuerySet[ServiceInstance]) -> QuerySet[ServiceInstance]:
        rows = rows.filter(context__platform=self.name)
        if not self.platform.host:
            return rows
        return rows.filter(api_host__in=("", self.platform.host))

    def _askable(self, rows: QuerySet[Any]) -> list[Any]:
        return [row for row in rows if self.platform.can_know(row.guid)]

    def _compare(
        self, part: Part, rows: list[Any], question: Question, note: Note
    ) -> Part:
        judged = _settled(rows)
        for batch in _batches(rows):
            if self.is_stopping():
                raise errors.Interrupted
            names = question([row.guid for row in batch])
            if not self.is_dry:
                note(batch, names)
            for row in batch:
                if row.guid in names:
                    part.known.append(row)
                elif row.orphaned_at is not None:
                    part.marked.append(row)
                elif row.pk in judged:
                    part.new.append(row)
        if not self.is_dry:
            _mark(part)
        return part


def _short(rows: QuerySet[Any], *columns: str) -> QuerySet[Any]:
    return rows.only("guid", "orphaned_at", *columns).order_by("pk")


def _batches(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), MOST_GUIDS):
        yield rows[start : start + MOST_GUIDS]


def _settled(rows: list[Any]) -> set[Any]:
    """The keys of those that nobody is at work on, and that are old enough."""
    return {
        pk
        for batch in _batches(rows)
        for (pk,) in _judgeable(batch).values_list("pk").order_by()
    }


def _judgeable(rows: Sequence[Model]) -> QuerySet[Any]:
    model = type(rows[0])
    found = model._default_manager.filter(
        pk__in=[row.pk for row in rows], created_at__lt=Now() - GRACE
    )
    if model is ServiceInstance:
        is_settled, target = Q(state__in=(_State.READY, _State.FAILED)), "instance"
    else:
        is_settled, target = Q(state__in=MADE), "binding"
    at_work = Operation.objects.unfinished().filter(**{target: OuterRef("pk")})
    return found.filter(is_settled).exclude(Exists(at_work))


def _mark(part: Part) -> None:
    """As the rows are now: somebody may have begun to work on one meanwhile."""
    for batch in _batches([row for row in part.known if row.orphaned_at]):
        rows = type(batch[0])._default_manager.filter(pk__in=[r.pk for r in batch])
        rows.update(orphaned_at=None)
        logger.info("the platform knows %s %s again", len(batch), part.what)
    if part.doubt:
        logger.warning("not believed: %s", part.doubt)
        return
    for batch in _batches(part.new):
        keys = list(_judgeable(batch).values_list("pk", flat=True).order_by())
        rows = type(batch[0])._default_manager.filter(pk__in=keys)
        rows.filter(orphaned_at=None).update(orphaned_at=Now())
        logger.warning("the platform does not know %s %s", len(keys), part.what)
