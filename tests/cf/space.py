"""A space with one app: push, scale, rolling deploy, and what Diego does unasked."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker

from tests.cf.cell import Cell, Placement, StartFailed, application
from tests.cf.manifest import Manifest, Process
from tests.cf.router import Router
from tests.cf.staging import LABEL, Droplet

ROUTE_REMOVAL_S = 1.0
"""From SIGTERM until the router knows: both leave the BBS at the same moment.

cloudfoundry/diego-release#711: the cell signals the process while the route emitter
and the router still have to hear of it, so that a stopping instance gets requests.
"""
LIVENESS_INTERVAL_S = 30.0


class Space:
    """The network that apps are in, and its gateway to this machine."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self.app_id = str(uuid.uuid4())
        self._network: Any = None

    def __enter__(self) -> "Space":
        self.network = f"brokersite-cf-{self.app_id[:8]}"
        self._network = self.client.networks.create(
            self.network, driver="bridge", labels={LABEL: self.app_id}
        )
        self._network.reload()
        self.gateway = self._network.attrs["IPAM"]["Config"][0]["Gateway"]
        return self

    def __exit__(self, *_: object) -> None:
        label = {"label": f"{LABEL}={self.app_id}"}
        for container in self.client.containers.list(all=True, filters=label):
            container.remove(force=True, v=True)
        self._network.remove()


class App:
    """The app as it is pushed; its instances are looked after until `close`."""

    def __init__(
        self,
        space: Space,
        router: Router,
        manifest: Manifest,
        services: dict[str, Any],
        *,
        in_a_file: bool = False,
    ) -> None:
        self._space, self._router, self._manifest = space, router, manifest
        self._services = json.dumps(services)
        self._in_a_file = in_a_file
        self.cells: list[Cell] = []
        self.crashes: list[str] = []
        self.starts_s: dict[str, list[float]] = {}
        self.stops_s: dict[str, list[float]] = {}
        self._droplet: Droplet
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._monitor = threading.Thread(target=self._look_after, daemon=True)
        self._pool = ThreadPoolExecutor(8)

    # What a user of the platform asks for

    def push(self, droplet: Droplet) -> None:
        """Start all instances at once, as `cf push` of a new app does."""
        self._droplet = droplet
        processes = self._manifest.processes.values()
        wanted = [(p, index) for p in processes for index in range(p.instances)]
        self._at_once(lambda pair: self._start(*pair), wanted)
        self._monitor.start()

    def scale(self, kind: str, instances: int) -> None:
        process = self._manifest.processes[kind]
        running = self.of(kind)
        added = range(len(running), instances)
        self._at_once(lambda index: self._start(process, index), list(added))
        self._at_once(self._stop, running[instances:])

    def roll(self, droplet: Droplet) -> None:
        """`cf push --strategy rolling`: the web instances one by one, then the others.

        Cloud Controller makes a second web process, starts an instance of it, stops one
        of the old process once that one is routed to, and so on. All other processes
        are stopped and started in bulk at the end.
        """
        self._droplet = droplet
        old = self.of("web")
        for index in range(len(old)):
            self._start(self._manifest.processes["web"], index)
            self._stop(old.pop())
        for kind in [kind for kind in self._manifest.processes if kind != "web"]:
            former = self.of(kind)
            self._at_once(self._stop, former)
            indices = [cell.index for cell in former]
            process = self._manifest.processes[kind]
            self._at_once(lambda index, of=process: self._start(of, index), indices)

    def of(self, kind: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.process.type == kind]

    def close(self) -> None:
        self._closing.set()
        if self._monitor.is_alive():
            self._monitor.join()
        self._at_once(self._stop, list(self.cells))

    # What the platform does

    def _start(self, process: Process, index: int) -> Cell:
        described = application(
            self._manifest.name, self._space.app_id, self._router.hostname, process
        )
        placement = Placement(
            self._space.network,
            self._space.app_id,
            self._manifest.env | {"VCAP_APPLICATION": described},
            self._services,
            self._in_a_file,
        )
        cell = Cell(self._space.client, process, self._droplet.image, placement, index)
        cell.wait_until_healthy()
        self.starts_s.setdefault(process.type, []).append(cell.ready_after_s)
        with self._lock:
            self.cells.append(cell)
        if process.type == "web":
            self._router.register(cell.address)
        return cell

    def _stop(self, cell: Cell) -> None:
        with self._lock:
            self.cells.remove(cell)
        address = cell.address
        timer = threading.Timer(ROUTE_REMOVAL_S, self._router.unregister, [address])
        timer.start()
        took = cell.stop()
        timer.join()
        self.stops_s.setdefault(cell.process.type, []).append(took)
        if cell.exit_code == 137:
            self.crashes.append(f"{cell} had to be killed:\n{cell.log()[-2000:]}")
        cell.remove()

    def _look_after(self) -> None:
        checked: dict[str, float] = {}
        while not self._closing.wait(0.5):
            for cell in list(self.cells):
                # One that is being stopped may be gone between two looks.
                with contextlib.suppress(docker.errors.NotFound):
                    if not cell.is_running:
                        self._replace(cell)
                    elif cell.process.type == "web":
                        self._check(cell, checked)

    def _check(self, cell: Cell, checked: dict[str, float]) -> None:
        now = time.monotonic()
        if now - checked.setdefault(f"live {cell.guid}", now) > LIVENESS_INTERVAL_S:
            checked[f"live {cell.guid}"] = now
            if not cell.is_healthy():
                self.crashes.append(f"{cell} is not healthy")
                cell.kill()
        interval_s = cell.process.readiness_interval_s
        if now - checked.setdefault(f"ready {cell.guid}", now) > interval_s:
            checked[f"ready {cell.guid}"] = now
            change = (
                self._router.register if cell.is_ready() else self._router.unregister
            )
            if cell in self.cells:
                change(cell.address)

    def _replace(self, cell: Cell) -> None:
        """Diego starts what has crashed again at once, the first three times."""
        with self._lock:
            if cell not in self.cells:
                return  # it was stopped meanwhile
            self.cells.remove(cell)
        if cell.process.type == "web":
            self._router.unregister(cell.address)
        self.crashes.append(f"{cell} ended with {cell.exit_code}")
        cell.remove()
        try:
            self._start(cell.process, cell.index)
        except StartFailed as failure:
            self.crashes.append(str(failure))

    def _at_once(self, act: Callable[[Any], Any], wanted: list[Any]) -> None:
        for result in [self._pool.submit(act, one) for one in wanted]:
            result.result()
