"""One instance of a process, run as a Diego cell runs it."""

import http.client
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import docker

from tests.cf.manifest import Process
from tests.cf.packed import packed
from tests.cf.staging import LABEL, VCAP

PORT = 8080
SERVICES_FILE = "/etc/cf-service-bindings/vcap_services"
UNHEALTHY_INTERVAL_S = 0.5
"""2 s in Diego. Start-up times are measured with it."""
GRACE_S = 10
"""From SIGTERM to SIGKILL."""

# The launcher, with what the buildpack leaves in profile.d.
LAUNCH = """\
export PATH=/home/vcap/deps/0/bin:$PATH LANG=C.UTF-8 PYTHONHASHSEED=random
export PYTHONUNBUFFERED=1 FORWARDED_ALLOW_IPS='*'
export GUNICORN_CMD_ARGS=${GUNICORN_CMD_ARGS:-'--access-logfile -'}
cd /home/vcap/app
exec bash -c "$1"
"""


class StartFailed(Exception):
    """With what the instance has said."""


@dataclass(frozen=True)
class Placement:
    """What all instances of a push share."""

    network: str
    app_id: str
    env: dict[str, str]
    services: str
    in_a_file: bool
    """VCAP_SERVICES_FILE_PATH in place of VCAP_SERVICES, as the app feature has it."""

    @property
    def environment(self) -> dict[str, str]:
        if self.in_a_file:
            return self.env | {"VCAP_SERVICES_FILE_PATH": SERVICES_FILE}
        return self.env | {"VCAP_SERVICES": self.services}


class Cell:
    """An instance: started when it is made, until it is stopped."""

    def __init__(
        self,
        client: docker.DockerClient,
        process: Process,
        image: str,
        placement: Placement,
        index: int,
    ) -> None:
        self.process = process
        self.index = index
        self.guid = str(uuid.uuid4())
        self.started_at = time.monotonic()
        self.ready_after_s = 0.0
        self._network = placement.network
        self._container = client.containers.create(
            image,
            ["bash", "-c", LAUNCH, "launcher", process.command],
            name=f"brokersite-cf-{process.type}-{index}-{self.guid[:8]}",
            # The app is not process 1 in its container, as under Garden.
            init=True,
            environment=placement.environment | self._identity(),
            labels={LABEL: placement.app_id},
            network=placement.network,
            mem_limit=f"{process.memory_mb}m",
            memswap_limit=f"{process.memory_mb}m",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        if placement.in_a_file:
            files = {SERVICES_FILE.rpartition("/")[2]: placement.services.encode()}
            archive = packed("cf-service-bindings", files, owner=VCAP)
            self._container.put_archive("/etc", archive)
        self._container.start()

    def __str__(self) -> str:
        return f"{self.process.type}/{self.index}"

    @property
    def address(self) -> tuple[str, int]:
        self._container.reload()
        networks = self._container.attrs["NetworkSettings"]["Networks"]
        return networks[self._network]["IPAddress"], PORT

    @property
    def hostname(self) -> str:
        return str(self._container.attrs["Config"]["Hostname"])

    @property
    def is_running(self) -> bool:
        self._container.reload()
        return bool(self._container.attrs["State"]["Running"])

    def wait_until_healthy(self) -> None:
        """Raise StartFailed if it ends, or is not healthy within its limit."""
        deadline = self.started_at + self.process.start_limit_s
        while not self._is_started():
            if not self.is_running or time.monotonic() > deadline:
                raise StartFailed(f"{self} is not healthy in time:\n{self.log()}")
            time.sleep(UNHEALTHY_INTERVAL_S)
        self.ready_after_s = time.monotonic() - self.started_at

    def _is_started(self) -> bool:
        if not self.process.endpoint:
            return self.is_running
        if not self.is_healthy():
            return False
        return not self.process.readiness_endpoint or self.is_ready()

    def is_healthy(self) -> bool:
        return self._answers(self.process.endpoint)

    def is_ready(self) -> bool:
        return self._answers(self.process.readiness_endpoint)

    def _answers(self, endpoint: str) -> bool:
        """The platform's check: the address as Host, exactly 200, within its limit."""
        ip, port = self.address
        if not ip:
            return False
        limit_s = self.process.check_limit_s
        connection = http.client.HTTPConnection(ip, port, timeout=limit_s)
        try:
            connection.request("GET", endpoint)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> float:
        """SIGTERM, ten seconds, SIGKILL. Return how many seconds it took."""
        started = time.monotonic()
        self._container.stop(timeout=GRACE_S)
        return time.monotonic() - started

    def kill(self) -> None:
        self._container.kill("SIGKILL")

    def remove(self) -> None:
        self._container.remove(force=True, v=True)

    def run(self, *command: str) -> str:
        """What a command in the instance prints, as over `cf ssh`."""
        wrapped = LAUNCH.replace('exec bash -c "$1"', 'exec "$@"')
        result = self._container.exec_run(
            ["bash", "-c", wrapped, "launcher", *command], demux=True
        )
        output, errors = (part or b"" for part in result.output)
        if result.exit_code != 0:
            raise AssertionError(f"{command} in {self}: {(output + errors).decode()}")
        return output.decode()

    def log(self) -> str:
        return self._container.logs().decode()

    @property
    def exit_code(self) -> int:
        self._container.reload()
        return int(self._container.attrs["State"]["ExitCode"])

    def memory_mb(self) -> float:
        """What is in use now, without what the kernel would give back at once."""
        usage = self._container.stats(stream=False)["memory_stats"]
        details = usage["stats"]
        idle = details.get("total_inactive_file", details.get("inactive_file", 0))
        return (usage["usage"] - idle) / 2**20

    def _identity(self) -> dict[str, Any]:
        return {
            "PORT": str(PORT),
            "VCAP_APP_PORT": str(PORT),
            "CF_INSTANCE_INDEX": str(self.index),
            "CF_INSTANCE_GUID": self.guid,
            "INSTANCE_GUID": self.guid,
            "INSTANCE_INDEX": str(self.index),
            "MEMORY_LIMIT": f"{self.process.memory_mb}m",
            "HOME": "/home/vcap/app",
            "TMPDIR": "/home/vcap/tmp",
            "USER": "vcap",
        }


def application(name: str, app_id: str, hostname: str, process: Process) -> str:
    """VCAP_APPLICATION."""
    document = {
        "application_id": app_id,
        "application_name": name,
        "application_uris": [hostname],
        "uris": [hostname],
        "name": name,
        "space_name": "services",
        "organization_name": "system",
        "cf_api": "https://api.cf.example.com",
        "limits": {"mem": process.memory_mb, "disk": process.disk_mb, "fds": 16384},
    }
    return json.dumps(document)
