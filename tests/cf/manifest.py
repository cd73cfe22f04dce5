"""manifest.yml as the platform takes it: one application and its processes."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


@dataclass(frozen=True)
class Process:
    """One process type. What the manifest leaves out is the platform's default."""

    type: str
    command: str
    instances: int
    memory_mb: int
    disk_mb: int
    endpoint: str
    """Of the http health check; empty for a process check."""
    start_limit_s: int
    check_limit_s: int
    """An answer to a health check that takes longer is none."""
    readiness_endpoint: str
    readiness_interval_s: int


@dataclass(frozen=True)
class Manifest:
    name: str
    services: tuple[str, ...]
    env: dict[str, str]
    processes: dict[str, Process]


def load(variables: dict[str, str], *, path: Path = ROOT / "manifest.yml") -> Manifest:
    """Raise KeyError for a ((variable)) that has no value."""
    text = path.read_text()
    text = re.sub(r"\(\(([\w-]+)\)\)", lambda found: variables[found[1]], text)
    (application,) = yaml.safe_load(text)["applications"]
    processes = [_process(document) for document in application["processes"]]
    return Manifest(
        name=application["name"],
        services=tuple(application.get("services", [])),
        env={name: str(value) for name, value in application.get("env", {}).items()},
        processes={process.type: process for process in processes},
    )


def megabytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([KMGT])B?", quantity.upper()).groups()  # type: ignore[union-attr]
    return int(int(number) * MEGABYTES[unit])


def _process(document: dict[str, Any]) -> Process:
    is_http = document.get("health-check-type", "port") == "http"
    asks_readiness = document.get("readiness-health-check-type") == "http"
    return Process(
        type=document["type"],
        command=document["command"],
        instances=document.get("instances", 1),
        memory_mb=megabytes(document.get("memory", "1G")),
        disk_mb=megabytes(document.get("disk_quota", "1G")),
        endpoint=document.get("health-check-http-endpoint", "/") if is_http else "",
        start_limit_s=document.get("timeout", 60),
        check_limit_s=document.get("health-check-invocation-timeout", 1),
        readiness_endpoint=(
            document.get("readiness-health-check-http-endpoint", "/")
            if asks_readiness
            else ""
        ),
        readiness_interval_s=document.get("readiness-health-check-interval", 30),
    )
