"""Staging: from the pushed files to a droplet, as the python buildpack does it.

The droplet is an image here, with the app in /home/vcap/app and what it depends on in
/home/vcap/deps, made by a user without rights and without a database.
"""

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from tests.cf.pushed import pushed_files

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "brokersite-cf"
STACK = "brokersite-cf/stack"
DROPLET = "brokersite-cf/droplet"
LABEL = "brokersite-cf"
VCAP = 2000
"""The user's id in Cloud Foundry's own stack."""
KEPT = 4

STACK_FILE = """\
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \\
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \\
        python3 python3-venv \\
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \\
    && useradd --uid 2000 --create-home --shell /bin/bash vcap \\
    && install -d -o vcap -g vcap /home/vcap/app /home/vcap/deps/0 /home/vcap/tmp
WORKDIR /home/vcap/app
USER vcap
"""

# What src/python/supply and src/python/finalize of the buildpack run, in their order.
STAGE = """\
set -euo pipefail
python3 -m venv /home/vcap/deps/0
export PATH=/home/vcap/deps/0/bin:$PATH PYTHONUNBUFFERED=1 LANG=C.UTF-8
grep -qi '^django[=<>~ ]*' requirements.txt
python -m pip install -r requirements.txt --ignore-installed --exists-action=w \\
    --src=/home/vcap/deps/0/src --disable-pip-version-check --no-warn-script-location
python manage.py collectstatic --noinput --traceback
du -sm /home/vcap/app /home/vcap/deps
"""


class StagingFailed(Exception):
    """With what the staging container has said."""


@dataclass(frozen=True)
class Droplet:
    image: str
    files: int
    size_mb: int
    staged_s: float


def ensure_stack(client: docker.DockerClient) -> None:
    """Build the image of the stack on the base that this project's images have."""
    bases = ("debian:bookworm-slim", "brokersite/base:bookworm")
    base = next((name for name in bases if _has(client, name)), None)
    if base is None:
        raise StagingFailed("There is no base image: run bin/build-images first.")
    arguments = ["--network=host", f"--build-arg=BASE={base}"]
    arguments += [f"--build-arg={name}" for name in ("http_proxy", "https_proxy")]
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", STACK, *arguments, "-"],
        input=STACK_FILE.encode(),
        env=os.environ | {"DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )


def ensure_wheels(requirements: Path) -> Path:
    """A folder with what requirements.txt names, downloaded once for each such file."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = CACHE / f"wheels-{digest}"
    if folder.exists():
        return folder
    incomplete = folder.with_suffix(f".{os.getpid()}")
    incomplete.mkdir(parents=True)
    # pip reads markers for the Python that runs it, which need not be the stack's.
    text = re.sub(r" ; python_full_version[^\\]*", " ", requirements.read_text())
    (incomplete / "requirements.txt").write_text(text)
    platforms = [f"--platform=manylinux{tag}_x86_64" for tag in _manylinux()]
    if os.uname().machine != "x86_64":
        platforms = [name.replace("x86_64", os.uname().machine) for name in platforms]
    downloaded = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"),
            *("--only-binary=:all:", "--python-version=3.11", *platforms),
            *("--dest", str(incomplete), "-r", str(incomplete / "requirements.txt")),
        ],
        capture_output=True,
        check=False,
    )
    if downloaded.returncode != 0:
        raise StagingFailed(downloaded.stderr.decode())
    incomplete.rename(folder)
    return folder


def stage(client: docker.DockerClient, root: Path, env: dict[str, str]) -> Droplet:
    """Make a droplet of a folder, or find that of the same files. Raise StagingFailed.

    The environment is the app's own with VCAP_SERVICES and VCAP_APPLICATION; there is
    no PORT and no CF_INSTANCE_INDEX yet.
    """
    started = time.monotonic()
    files = pushed_files(root)
    archive = _archive(root, files)
    digest = hashlib.sha256(archive + STAGE.encode()).hexdigest()[:16]
    image = f"{DROPLET}:{digest}"
    if _has(client, image):
        size = int(client.images.get(image).labels[LABEL])
        return Droplet(image, len(files), size, time.monotonic() - started)
    wheels = ensure_wheels(root / "requirements.txt")
    container = client.containers.create(
        STACK,
        ["bash", "-c", STAGE],
        # pip's own command stays as it is; only where it looks is this machine's.
        environment=env | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"},
        volumes={str(wheels): {"bind": "/wheels", "mode": "ro"}},
        network_mode="none",
        labels={LABEL: "staging"},
        mem_limit="1g",
    )
    try:
        container.put_archive("/home/vcap/app", archive)
        container.start()
        status = container.wait(timeout=300)["StatusCode"]
        said = container.logs().decode()
        if status != 0:
            raise StagingFailed(f"Staging ended with {status}:\n{said}")
        size = sum(int(line.split()[0]) for line in said.splitlines()[-2:])
        settings = {"Cmd": ["true"], "Labels": {LABEL: str(size)}}
        container.commit(DROPLET, digest, conf=settings)
    finally:
        container.remove(force=True, v=True)
    return Droplet(image, len(files), size, time.monotonic() - started)


def forget_old(client: docker.DockerClient) -> None:
    """Remove all droplets but the latest ones, which another run may be using."""
    images = client.images.list(DROPLET)
    images.sort(key=lambda image: image.attrs["Created"])
    for image in images[:-KEPT]:
        client.images.remove(image.id, force=True)


def _manylinux() -> Iterable[str]:
    return (*(f"_2_{minor}" for minor in range(36, 16, -1)), "2014")


def _has(client: docker.DockerClient, image: str) -> bool:
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _archive(root: Path, files: list[Path]) -> bytes:
    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = VCAP
        member.mtime = 1_600_000_000  # the same files are the same droplet
        return member

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folders: dict[Path, Any] = {}
        for path in files:
            for parent in reversed(path.parents[:-1]):
                if parent not in folders:
                    folders[parent] = archive.add(
                        root / parent, str(parent), recursive=False, filter=owned
                    )
            archive.add(root / path, str(path), filter=owned)
    return buffer.getvalue()
