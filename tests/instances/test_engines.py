import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import connect
from instances.engines import ENGINES, get_engine, new_secret


class EnginesTest(SimpleTestCase):
    def test_every_engine_is_found_by_its_name(self):
        for name in ENGINES:
            assert get_engine(name).name == name

    def test_an_unknown_engine_is_refused_with_those_that_are_known(self):
        with pytest.raises(errors.InvalidRequest, match="mariadb"):
            get_engine("oracle")

    def test_secrets_differ_and_need_no_quoting(self):
        """S22."""
        secrets = {new_secret() for _ in range(10_000)}
        assert len(secrets) == 10_000
        assert all(text.isascii() and len(text) == 32 for text in secrets)
        assert not set("".join(secrets)) & set("'\"\\`@:/ %+")


class ConnectTest(SimpleTestCase):
    def test_an_unknown_scheme_is_refused(self):
        with pytest.raises(errors.InvalidRequest, match="unix://"):
            connect("ftp://host")
