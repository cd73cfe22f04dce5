"""What Docker says while it pulls or builds, as lines that people can follow."""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from instances.containers.images import Report

LAST_LINES = 15
LONGEST_COMMAND = 80
"""Characters of a step: a Dockerfile packs much into one line."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")
_STEP = re.compile(r"Step (\d+)/(\d+) : ")
_DONE = ("Pull complete", "Already exists")


class PullProgress:
    """Layers that are there, and megabytes of those that are on their way."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._layers: dict[str, str] = {}
        self._loaded: dict[str, tuple[int, int]] = {}

    def see(self, message: Mapping[str, Any]) -> None:
        status, layer = str(message.get("status", "")), message.get("id")
        if not layer or status.startswith("Pulling from"):
            return self._report(clean(status))
        self._layers[layer] = status
        detail = message.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._loaded[layer] = detail.get("current", 0), detail["total"]
        elif layer in self._loaded:
            total = self._loaded[layer][1]
            self._loaded[layer] = total, total
        self._report(self._line())

    def _line(self) -> str:
        done = sum(status in _DONE for status in self._layers.values())
        text = f"pulling: {done} of {len(self._layers)} layers"
        total = sum(total for _, total in self._loaded.values())
        if total:
            loaded = sum(loaded for loaded, _ in self._loaded.values())
            text += f", {loaded / 1e6:.1f} of {total / 1e6:.1f} MB"
            text += f" ({100 * loaded // total} %)"
        return text


class BuildProgress:
    """The step, and the last line of its output."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._step = ""
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def see(self, message: Mapping[str, Any]) -> None:
        text = str(message.get("stream") or message.get("status") or "")
        for raw in re.split(r"[\r\n]+", text):
            line = clean(raw).strip()
            if line:
                self.last_lines.append(line)
                self._report(self._line(line))

    def _line(self, line: str) -> str:
        step = _STEP.match(line)
        if step:
            self._step = f"step {step[1]} of {step[2]}: "
            command = line[step.end() :]
            line = command[:LONGEST_COMMAND] + "…" * (len(command) > LONGEST_COMMAND)
        return self._step + line


def clean(text: str) -> str:
    """Without what would move a terminal's cursor or colour it (SECURITY S44, S50)."""
    return _CONTROL.sub("", text)
