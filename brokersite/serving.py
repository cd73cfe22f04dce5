"""How gunicorn logs, and where its processes count together (gunicorn --config).

Its other settings stand on its command line, in the Procfile and in manifest.yml. This
is read before there are Django settings.
"""

import os
import shutil
import tempfile
from typing import Any

from gunicorn.glogging import Logger

from brokersite import logs
from brokersite.stopping import when_ready as when_ready
from brokersite.traced import ids
from instances.redaction import known_secrets

UNLOGGED = ("/healthz", "/readyz", "/metrics", "/static/")
"""Asked for every few seconds, or with every page."""


class SiteLogger(Logger):
    """Gunicorn's log in the site's form."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        name = os.environ.get("LOG_FORMAT") or logs.default_format(os.environ)
        line = logs.formatter(name, set(known_secrets(os.environ)))
        for logger in (self.error_log, self.access_log):
            for handler in logger.handlers:
                handler.setFormatter(line)

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """One line a request: without its query, which may hold anything."""
        path = environ.get("PATH_INFO", "")
        if not self.access_log_enabled or path.startswith(UNLOGGED):
            return
        fields = {
            "method": environ.get("REQUEST_METHOD", ""),
            "path": path,
            "status": int(str(resp.status).split(None, 1)[0]),
            "duration_ms": round(request_time.total_seconds() * 1000),
            "remote": environ.get("REMOTE_ADDR", ""),
            **ids(environ),
        }
        self.access_log.info(
            "%(method)s %(path)s %(status)s %(duration_ms)s ms",
            fields,
            extra={"fields": {name: value for name, value in fields.items() if value}},
        )


def on_starting(server: Any) -> None:
    """Before the processes are forked: each writes its numbers into files there."""
    folder = tempfile.mkdtemp(prefix="brokersite-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ.pop("PROMETHEUS_MULTIPROC_DIR", ""), ignore_errors=True)


logger_class = SiteLogger
accesslog = "-" if os.environ.get("ACCESS_LOG") in ("1", "true") else None
