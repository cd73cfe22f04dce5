import json
import logging
import sys
from typing import Any
from unittest import mock

from django.conf import settings
from django.test import SimpleTestCase

from brokersite import logs
from instances import tracing


def line(message: str, *args: Any, **options: Any) -> dict[str, Any]:
    text = raw(message, *args, **options)
    assert "\n" not in text
    return json.loads(text)


def raw(message: str, *args: Any, **options: Any) -> str:
    logger = logging.Logger("instances.tests")
    record = logger.makeRecord(
        "instances.tests",
        options.pop("level", logging.INFO),
        __file__,
        1,
        message,
        args,
        options.pop("exc_info", None),
        extra=options or None,
    )
    return logs.JSONFormatter(["a-known-secret"]).format(record)


def caught(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


class JSONTest(SimpleTestCase):
    def test_what_happened_when_and_where(self):
        with mock.patch.dict("os.environ", {"CF_INSTANCE_INDEX": "3"}):
            found = line("hello %s", "world", level=logging.WARNING)
        assert found["message"] == "hello world"
        assert (found["level"], found["logger"]) == ("WARNING", "instances.tests")
        assert found["instance_index"] == "3"
        assert found["time"].endswith("+00:00")

    def test_the_process_is_named(self):
        for argv, name in (
            (["manage.py", "worker"], "worker"),
            (["/x/manage.py", "migrate"], "migrate"),
            (["manage.py"], "manage.py"),
        ):
            with mock.patch.object(sys, "argv", argv):
                assert line("x")["process"] == name
        with mock.patch.dict(sys.modules, {"gunicorn.arbiter": mock.Mock()}):
            assert line("x")["process"] == "web"

    def test_ids_become_fields(self):
        found = line("operation=%s instance=%s failed: x", "1b-2c", "3d-4e")
        assert (found["operation"], found["instance"]) == ("1b-2c", "3d-4e")

    def test_whose_work_it_is(self):
        with tracing.at(request_id="vcap-1", request_identity="platform-1"):
            found = line("x")
        assert found["request_id"] == "vcap-1"
        assert found["request_identity"] == "platform-1"
        assert "request_id" not in line("x")

    def test_an_exception_is_one_field(self):
        found = line("crashed", exc_info=caught(ValueError("first\nsecond")))
        assert "Traceback" in found["exception"]
        assert found["exception"].endswith("ValueError: first\nsecond")

    def test_secrets_are_hidden_in_every_field(self):
        """S20."""
        with tracing.at(request_identity="a-known-secret"):
            text = raw(
                "a-known-secret operation=a-known-secret %s",
                "password=hunter-2",
                exc_info=caught(ValueError("a-known-secret")),
                fields={"path": "/x/a-known-secret"},
            )
        assert "a-known-secret" not in text
        assert "hunter-2" not in text

    def test_a_wrong_format_loses_nothing(self):
        assert "one" in line("%s %s", "one")["message"]

    def test_control_characters_forge_no_line(self):
        found = line('x\n{"level": "CRITICAL"}')
        assert found["level"] == "INFO"

    def test_a_lone_surrogate_can_be_written(self):
        raw("\udce9").encode()

    def test_a_line_stays_below_the_platforms_limit(self):
        for letter in ("x", "ä", "\0", "😀"):
            text = raw(
                "%s",
                letter * 50_000,
                exc_info=caught(ValueError(letter * 100_000 + "the end")),
            )
            assert len(text.encode()) < 16_000
            assert json.loads(text)["exception"].endswith("the end")

    def test_a_secret_is_not_cut_in_half_before_it_is_seen(self):
        text = raw("%s", "x" * 3000 + "a-known-secret" * 3000)
        assert "known" not in text


class TextTest(SimpleTestCase):
    def test_it_is_readable_and_hides_secrets(self):
        """S20."""
        record = logging.LogRecord(
            "instances", logging.ERROR, __file__, 1, "uri=tcp://u:pw@h", (), None
        )
        record.exc_info = caught(ValueError("a-known-secret"))
        text = logs.TextFormatter(["a-known-secret"]).format(record)
        assert "ERROR instances uri=tcp://u:***@h\nTraceback" in text
        assert text.endswith("ValueError: ***")


class ConfigurationTest(SimpleTestCase):
    def test_json_is_the_default_on_cloud_foundry_alone(self):
        assert logs.default_format({"VCAP_APPLICATION": "{}"}) == "json"
        assert logs.default_format({}) == "text"

    def test_the_sites_own_keys_are_known(self):
        """S20."""
        line = settings.LOGGING["formatters"]["line"]
        wanted = {settings.SECRET_KEY, *settings.ENCRYPTION_KEYS}
        assert wanted <= line["secrets"]

    def test_what_ends_the_process_is_one_line(self):
        with self.assertLogs("brokersite", "CRITICAL") as logged:
            logs._log_end(*caught(ValueError("bad")))
            logs._log_end(*caught(KeyboardInterrupt()))
        (record,) = logged.records
        assert record.exc_info[0] is ValueError
