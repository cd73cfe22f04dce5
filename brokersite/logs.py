"""Log lines: one JSON object each on Cloud Foundry, readable text elsewhere.

Both without secrets (SECURITY S20), and short enough for the platform's log system.
"""

import json
import logging
import logging.config
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from instances import tracing
from instances.redaction import redactor

FORMATS = ("json", "text")
LINE_LIMIT = 15_000
"""Bytes. Cloud Foundry drops what an app writes beyond 16 KB in a second."""
_dump: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, default=str).encode
_READ_LIMIT = 60_000
"""Characters of a text that are looked at, all that may be in a line and more."""
_ID = re.compile(r"\b(\w{1,20})=([^\s:,;]{1,255})")
_IDS = frozenset(
    (
        "operation",
        "instance",
        "binding",
        "container",
        "host",
        "plan",
        "backup",
        "worker",
    )
)


def default_format(source: Mapping[str, str]) -> str:
    return "json" if source.get("VCAP_APPLICATION") else "text"


def process_type() -> str:
    """web, worker, or the command of manage.py that this process runs."""
    if "gunicorn.arbiter" in sys.modules:
        return "web"
    name = os.path.basename(sys.argv[0])
    return sys.argv[1] if name == "manage.py" and len(sys.argv) > 1 else name


class TextFormatter(logging.Formatter):
    """For people: `make run`. Exceptions take lines of their own."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._redact = redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(_shorten(super().format(record), _READ_LIMIT))


class JSONFormatter(logging.Formatter):
    """For machines: whatever belongs to an event is in its one line."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = redactor(secrets)
        # An operation's lines, and a request's, have the same ids.
        self._clean_id = lru_cache(maxsize=1024)(self._clean)
        self._process = {"process": process_type()}
        index = os.environ.get("CF_INSTANCE_INDEX", "")
        if index.isdigit():
            self._process["instance_index"] = index

    def format(self, record: logging.LogRecord) -> str:
        message = self._clean(_rendered(record))
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            **self._process,
            **{key: value for key, value in _ID.findall(message) if key in _IDS},
        }
        for name, value in tracing.current().items():
            fields[name] = self._clean_id(value)
        for name, value in getattr(record, "fields", {}).items():
            fields[name] = self._clean(value) if isinstance(value, str) else value
        exception = self._exception(record)
        if exception:
            fields["exception"] = self._clean(exception)
        return _fit(fields)

    def _clean(self, text: str) -> str:
        return self._redact(_shorten(text, _READ_LIMIT))

    def _exception(self, record: logging.LogRecord) -> str:
        """The traceback; of one that is very long, its end says what it was."""
        if record.exc_info:
            return self.formatException(record.exc_info)
        if record.stack_info:
            return self.formatStack(record.stack_info)
        return record.exc_text or ""


def formatter(name: str, secrets: Iterable[str]) -> logging.Formatter:
    return JSONFormatter(secrets) if name == "json" else TextFormatter(secrets)


def configuration(
    *, log_format: str, level: str, secrets: Iterable[str]
) -> dict[str, Any]:
    """What Django gives to configure()."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": formatter,
                "name": log_format,
                "secrets": frozenset(secrets),
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
            }
        },
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {
            name: {"level": level} for name in ("brokersite", "instances", "osbapi")
        }
        # Each refused request would be a line; osbapi.errors says more about it.
        | {"django.request": {"level": "ERROR"}},
    }


def configure(config: dict[str, Any]) -> None:
    """Take the configuration, and log what ends a process or a thread as well."""
    logging.config.dictConfig(config)
    if config["formatters"]["line"]["name"] == "json":
        logging.captureWarnings(True)
        sys.excepthook = _log_end
        threading.excepthook = lambda ended: _log_end(
            ended.exc_type, ended.exc_value, ended.exc_traceback
        )


def _log_end(kind: Any, error: Any, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger = logging.getLogger("brokersite")
    logger.critical("ended by an exception", exc_info=(kind, error, trace))


def _rendered(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a wrong format must not lose the event
        return f"{record.msg} {record.args}"


def _shorten(text: str, limit: int) -> str:
    """Its beginning and, rather more, its end."""
    if len(text) <= limit:
        return text
    head = limit // 3
    return f"{text[:head]} […] {text[-(limit - head) :]}"


def _fit(fields: dict[str, Any]) -> str:
    line = _dump(fields)
    for limit in (8000, 4000, 2000, 1000, 300, 100):
        if len(line.encode(errors="replace")) <= LINE_LIMIT:
            break
        line = _dump(
            {
                name: _shorten(value, limit) if isinstance(value, str) else value
                for name, value in fields.items()
            }
        )
    # A lone surrogate, out of a broken header, can be written nowhere.
    return line.encode(errors="replace").decode()
