"""How gunicorn logs."""

import json
import logging
import os
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from django.conf import settings
from django.test import SimpleTestCase
from gunicorn.config import Config

from brokersite import serving

ROOT = Path(settings.BASE_DIR)


class LoggerTest(SimpleTestCase):
    def setUp(self) -> None:
        environ = {"LOG_FORMAT": "json", "SECRET_KEY": "the-sites-own-secret"}
        self.enterContext(mock.patch.dict("os.environ", environ))
        config = Config()
        config.set("accesslog", "-")
        self.log = serving.SiteLogger(config)
        self.lines: list[str] = []
        for logger in (self.log.error_log, self.log.access_log):
            handler = self.log._get_gunicorn_handler(logger)
            note = partial(self.note, handler.formatter)
            self.enterContext(mock.patch.object(handler, "emit", note))
            self.addCleanup(logger.removeHandler, handler)

    def note(self, formatter: logging.Formatter, record: logging.LogRecord) -> None:
        self.lines.append(formatter.format(record))

    def access(self, path: str, **environ: str) -> None:
        defaults = {"REQUEST_METHOD": "PUT", "PATH_INFO": path, "REMOTE_ADDR": "::1"}
        answer = mock.Mock(status="201 Created")
        self.log.access(answer, None, defaults | environ, timedelta(milliseconds=12))

    def test_an_access_is_one_object_with_its_request(self):
        self.access(
            "/v2/service_instances/i",
            QUERY_STRING="password=x",
            HTTP_AUTHORIZATION="Basic dTpw",
            HTTP_X_VCAP_REQUEST_ID="vcap-1",
            HTTP_X_BROKER_API_REQUEST_IDENTITY="platform-1",
        )
        (line,) = self.lines
        found = json.loads(line)
        assert found["message"] == "PUT /v2/service_instances/i 201 12 ms"
        assert (found["status"], found["duration_ms"]) == (201, 12)
        assert found["request_id"] == "vcap-1"
        assert found["request_identity"] == "platform-1"
        assert "password" not in line
        assert "dTpw" not in line

    def test_health_checks_leave_no_line(self):
        for path in ("/healthz", "/readyz", "/metrics", "/static/console.css"):
            self.access(path)
        assert self.lines == []

    def test_an_error_is_one_object_without_secrets(self):
        """S20."""
        try:
            raise ValueError("the-sites-own-secret")
        except ValueError:
            self.log.exception("Exception in worker process")
        (line,) = self.lines
        found = json.loads(line)
        assert found["level"] == "ERROR"
        assert found["exception"].endswith("ValueError: ***")

    def test_accesses_are_logged_when_asked_for(self):
        assert serving.accesslog is None
        self.log.cfg.set("accesslog", None)
        self.log.setup(self.log.cfg)
        self.access("/v2/catalog")
        assert self.lines == []
        assert self.log.access_log.getEffectiveLevel() == logging.INFO


class CommandTest(SimpleTestCase):
    """Whoever starts gunicorn starts it alike."""

    def test_the_configuration_is_named_everywhere(self):
        manifest = yaml.safe_load((ROOT / "manifest.yml").read_text())
        (application,) = manifest["applications"]
        commands: list[str] = [
            (ROOT / "Procfile").read_text().splitlines()[0],
            (ROOT / "bin/run").read_text(),
            *(row["command"] for row in application["processes"][:1]),
        ]
        for command in commands:
            assert "--config python:brokersite.serving" in command

    def test_gunicorn_takes_it(self):
        options: dict[str, Any] = vars(serving)
        config = Config()
        for name in ("logger_class", "accesslog", "on_starting", "on_exit"):
            config.set(name, options[name])

    def test_the_folder_for_the_numbers_goes_with_the_server(self):
        with mock.patch.dict("os.environ"):
            serving.on_starting(None)
            folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
            assert folder.is_dir()
            serving.on_exit(None)
            assert not folder.exists()
            assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
            serving.on_exit(None)
