"""The images on a Docker Engine: looked at, pulled, built."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

import docker
from docker import auth
from docker.errors import APIError
from docker.utils import parse_repository_tag

from instances import errors
from instances.containers.access import Access
from instances.containers.docker_api import SHORT_S, lend
from instances.containers.docker_progress import BuildProgress, PullProgress
from instances.containers.images import ImageBuild, ImageStatus, Report

LONGEST_S = 4 * 3600
PULL_SILENCE_S = 120
"""A pull may take long, but it always says something."""
BUILD_SILENCE_S = 600
"""A package manager may say nothing for as long as it downloads."""

_REFERENCE = re.compile(r"\w[\w.:@-]*(/\w[\w.:@-]*)*", re.ASCII)
"""Wider than Docker's own rule, but nothing that would be another path of its API."""


class _Refused(Exception):
    """Docker's no; its text is the reason."""


class DockerImages:
    """An ImageStore behind unix://, tcp:// or ssh://."""

    def __init__(self, access: Access, *, timeout_s: int = SHORT_S) -> None:
        self._access = access
        self._timeout_s = timeout_s

    def find(self, reference: str) -> ImageStatus | None:
        if not _REFERENCE.fullmatch(reference):
            return None
        with lend(self._access, timeout_s=self._timeout_s) as api:
            try:
                found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
            except APIError as error:
                # 400: no image can have that name, so none has.
                if error.status_code not in (400, 404):
                    raise
                return None
        return ImageStatus(
            reference=reference,
            id=found["Id"],
            size_bytes=found["Size"],
            layers=len(found["RootFS"].get("Layers") or ()),
            created_at=_moment(found["Created"]),
            labels=(found["Config"] or {}).get("Labels") or {},
        )

    def pull(self, reference: str, *, report: Report) -> None:
        name, tag = parse_repository_tag(reference)
        # Without a tag, Docker would pull every one there is.
        options = {"fromImage": name, "tag": tag or "latest"}
        progress = PullProgress(report)
        try:
            with lend(
                self._access, timeout_s=LONGEST_S, silence_s=PULL_SILENCE_S
            ) as api:
                login = auth.get_config_header(
                    api, auth.resolve_repository_name(name)[0]
                )
                headers = {"X-Registry-Auth": login} if login else {}
                for message in _messages(
                    api, "images/create", params=options, headers=headers
                ):
                    progress.see(message)
        except _Refused as error:
            raise errors.ImageFailed(
                detail=f"{reference} cannot be pulled by {self._access}: {error}"
            ) from None

    def build(self, build: ImageBuild, *, report: Report) -> None:
        progress = BuildProgress(report)
        try:
            with lend(
                self._access, timeout_s=LONGEST_S, silence_s=BUILD_SILENCE_S
            ) as api:
                for message in _messages(
                    api,
                    "build",
                    params=_build_options(build),
                    data=build.context,
                    headers={"Content-Type": "application/x-tar"},
                ):
                    progress.see(message)
        except _Refused as error:
            lines = "\n".join([*progress.last_lines, str(error)])
            raise errors.ImageFailed(
                detail=f"{build.reference} cannot be built by {self._access}:\n{lines}"
            ) from None


def _build_options(build: ImageBuild) -> dict[str, str]:
    options = {
        "t": build.reference,
        "buildargs": json.dumps(dict(build.arguments)),
        "labels": json.dumps(dict(build.labels)),
        # Nothing stays of a build that fails, or whose client dies.
        "rm": "1",
        "forcerm": "1",
    }
    if build.on_host_network:
        options["networkmode"] = "host"
    return options


def _messages(
    api: docker.APIClient, path: str, **request: Any
) -> Iterator[Mapping[str, Any]]:
    """Post and yield what Docker says, as it says it. Raise _Refused.

    Whoever stops listening ends the work: the connection is closed.
    """
    url = f"{api.base_url}/v{api.api_version}/{path}"
    with closing(api.post(url, stream=True, **request)) as response:
        if not response.ok:
            raise _Refused(_reason(response.text))
        for line in response.iter_lines():
            if line:
                message = json.loads(line)
                if "error" in message:
                    raise _Refused(message["error"])
                yield message


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text


def _moment(text: str) -> datetime | None:
    """Docker's nanosecond time; an image may have none, or the year 1."""
    if not text:
        return None
    moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    return moment if moment.year > 1 else None
