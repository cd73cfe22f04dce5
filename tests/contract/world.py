"""A broker with one instance in each state, for requests that nobody thought of."""

import copy
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import strategies
from schemathesis import Case

from tests.fakes import OFFERING_ID, PLAN_ID, drain, make_plan
from tests.osbapi.base import PlatformTestCase

OTHER_PLAN = "plan-2"
BOUND = ("ready", "deprovisioning", "updating")
STATES = (*BOUND, "provisioning", "failed", "gone")
KNOWN: dict[str, tuple[str, ...]] = {
    "instance_id": ("ready", "ready", "ready", *STATES),
    "binding_id": ("b-1", "b-1", "b-2"),
    "service_id": (OFFERING_ID,),
    "plan_id": (PLAN_ID, PLAN_ID, PLAN_ID, OTHER_PLAN),
    "predecessor_binding_id": ("b-1",),
    "organization_guid": ("o-1",),
    "space_guid": ("s-1",),
    "accepts_incomplete": ("true", "false"),
}
"""Values that mean something here; a generator would never find them."""
EMPTIED = ("parameters", "bind_resource", "predecessor_binding_id", "app_guid")
"""What changes a request into another, or is refused; often left out."""
MOSTLY = strategies.sampled_from([*[True] * 9, False])
"""Integers would be no dice: a generator likes zero best."""


class EveryStateTestCase(PlatformTestCase):
    """Each instance's id is the state that it is in."""

    def setUp(self) -> None:
        super().setUp()
        make_plan(OTHER_PLAN, memory_mb=512)
        for guid in (*BOUND, "gone"):
            self.ready(guid)
        for guid in BOUND:
            assert self.bind(instance=guid).status_code == 201
        assert self.delete("gone", is_async=False).status_code == 200
        self._fail("failed")
        assert self.put("provisioning").status_code == 202
        assert self.delete("deprovisioning").status_code == 202
        body = {"service_id": OFFERING_ID, "plan_id": OTHER_PLAN}
        updated = self.call("PATCH", self.path("updating", True), body)
        assert updated.status_code == 202
        # Kept open, as Django's own client does: it holds the test's transaction.
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)
            self.addCleanup(signal.connect, close_old_connections)

    def _fail(self, guid: str) -> None:
        images = set(self.world.machine.images)
        self.world.machine.images.clear()
        assert self.put(guid).status_code == 202
        drain()
        self.world.machine.images |= images

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Forget what is done inside: in the database and on the machine."""
        containers = copy.deepcopy(self.world.machine.containers)
        savepoint = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(savepoint)
            self.world.machine.containers = containers


@strategies.composite
def sensible(draw: strategies.DrawFn, cases: strategies.SearchStrategy[Case]) -> Case:
    """A generated case, with values of this broker in most of its known places."""
    case = draw(cases)
    if not case.meta.generation.mode.is_negative:
        case.headers["X-Broker-API-Version"] = "2.17"
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, MutableMapping):
            for name in [name for name in KNOWN if name in part]:
                if draw(MOSTLY):
                    part[name] = draw(strategies.sampled_from(KNOWN[name]))
    if isinstance(case.body, dict):
        for name in EMPTIED:
            if draw(MOSTLY):
                case.body.pop(name, None)
    return case
