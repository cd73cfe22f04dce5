"""A database server for the tests: a container of this project's own image.

    python -m tests.databases.server mariadb,postgres pytest tests/osbapi

starts one of each, runs the command with DATABASE_URI set, and removes them. Data is
in memory, and no commit waits for a disk: this shows what is right, not how fast,
unless it is asked for as the image has it.
"""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import psycopg
import pymysql

from instances.engines.verifiers import mysql_native_password, scram_sha_256

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60
FAST = "/fast"
"""Where the memory is mounted."""
WRITE = (
    f'umask 077 && echo "$CERTIFICATE" >{FAST}/certificate && echo "$KEY" >{FAST}/key'
)


@dataclass(frozen=True)
class Kind:
    folder: str
    """Of the image, in images/."""
    port: str
    scheme: str
    options: str
    """For the server."""
    into_memory: str
    """For bash: the data that the image was made with goes there."""
    in_memory: str
    """More options, for a server whose data is there."""
    tls: str
    """What the server is told of its certificate."""

    def command(self, *, is_durable: bool) -> str:
        if is_durable:
            return f"exec entrypoint.sh{self.options}"
        return f"{self.into_memory} && exec entrypoint.sh{self.options}{self.in_memory}"

    def environment(self, password: str, *, is_durable: bool) -> dict[str, str]:
        if self.folder == "mariadb":
            return {"ADMIN_HASH": mysql_native_password(password)}
        where = {} if is_durable else {"PGDATA": f"{FAST}/data"}
        return {"ADMIN_VERIFIER": scram_sha_256(password), **where}


KINDS = {
    "mariadb": Kind(
        folder="mariadb",
        port="3306/tcp",
        scheme="mysql",
        options=" --innodb-buffer-pool-size=128M --max-connections=200",
        into_memory=f"cp -a /var/lib/mysql/data {FAST}",
        in_memory=f" --datadir={FAST}/data --innodb-flush-log-at-trx-commit=0",
        tls=f" --ssl-cert={FAST}/certificate --ssl-key={FAST}/key",
    ),
    "postgres": Kind(
        folder="postgres",
        port="5432/tcp",
        scheme="postgres",
        options=" -c shared_buffers=64MB -c max_connections=200",
        into_memory=f"cp -a /var/lib/postgresql/data {FAST}",
        in_memory=" -c fsync=off -c synchronous_commit=off -c full_page_writes=off",
        tls=f" -c ssl=on -c ssl_cert_file={FAST}/certificate"
        f" -c ssl_key_file={FAST}/key",
    ),
}


@contextmanager
def running(
    name: str, *, certificate: str = "", key: str = "", is_durable: bool = False
) -> Iterator[str]:
    """The address, as DATABASE_URI wants it, of an empty database of that kind.

    With a certificate and its key it can do TLS. A durable one is for measuring: its
    commits wait for the disk.
    """
    kind, password = KINDS[name], secrets.token_hex(16)
    client = docker.from_env()
    command = kind.command(is_durable=is_durable)
    environment = kind.environment(password, is_durable=is_durable)
    if certificate:
        environment |= {"CERTIFICATE": certificate, "KEY": key}
        command = f"{WRITE} && {command}{kind.tls}"
    container = client.containers.run(
        _image(kind),
        entrypoint=["bash", "-c", command],
        environment=environment,
        # Docker chooses the port: many of these can run at once.
        ports={kind.port: ("127.0.0.1", None)},
        tmpfs={FAST: "uid=999,gid=999,mode=0700,size=600m"},
        labels={"brokersite.tests": "database"},
        detach=True,
    )
    try:
        port = _port(container, kind)
        address = f"{kind.scheme}://brokersite:{password}@127.0.0.1:{port}"
        _wait(container, kind, port, password)
        yield f"{address}/brokersite?sslmode=disable"
    finally:
        container.remove(force=True, v=True)


def _image(kind: Kind) -> str:
    dockerfile = (ROOT / "images" / kind.folder / "Dockerfile").read_text()
    version = re.search(r"^ARG VERSION=(\S+)", dockerfile, re.MULTILINE)
    assert version is not None
    return f"brokersite/{kind.folder}:{version[1]}"


def _port(container: docker.models.containers.Container, kind: Kind) -> int:
    container.reload()
    (published,) = container.ports[kind.port][:1]
    return int(published["HostPort"])


def _wait(
    container: docker.models.containers.Container, kind: Kind, port: int, password: str
) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return _create_database(kind, port, password)
        except (pymysql.OperationalError, psycopg.OperationalError) as error:
            container.reload()
            if container.status == "exited" or time.monotonic() > deadline:
                log = container.logs(tail=20).decode()
                raise SystemExit(
                    f"{kind.folder} does not start: {error}\n{log}"
                ) from None
        time.sleep(0.1)


def _create_database(kind: Kind, port: int, password: str) -> None:
    if kind.folder == "mariadb":
        with pymysql.connect(
            host="127.0.0.1", port=port, user="brokersite", password=password
        ) as connection:
            connection.cursor().execute("CREATE DATABASE brokersite")
    else:
        address = f"host=127.0.0.1 port={port} user=brokersite password={password}"
        with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as line:
            line.execute("CREATE DATABASE brokersite")


def run(name: str, command: list[str]) -> int:
    """Run it on that database; what it says is shown in one piece."""
    began_at = time.monotonic()
    with running(name) as uri:
        done = subprocess.run(
            command,
            env=os.environ | {"DATABASE_URI": uri},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    taken_s = time.monotonic() - began_at
    print(
        f"{done.stdout}{name}: exit code {done.returncode}, {taken_s:.0f} s", flush=True
    )
    return done.returncode


def main(names: list[str], command: list[str]) -> int:
    """Run it on all of them at once; 0 if all went well."""
    # Only for the duration of a wait: each command is a process of its own.
    with ThreadPoolExecutor(len(names)) as pool:
        return max(pool.map(lambda name: run(name, command), names))


if __name__ == "__main__":
    names = sys.argv[1].split(",") if len(sys.argv) > 2 else []
    if not names or set(names) - set(KINDS):
        kinds = ",".join(KINDS)
        raise SystemExit(f"Usage: python -m tests.databases.server {kinds} COMMAND")
    raise SystemExit(main(names, sys.argv[2:]))
