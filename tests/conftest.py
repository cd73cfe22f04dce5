"""Settings that only make tests faster, or more like the product."""

import pytest
from django.conf import settings


def pytest_configure() -> None:
    # WhiteNoise would read all static files anew for every test client.
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite's tests use a file, as the product does: threads wait for each other.

    In memory they would share one cache, where a lock is an error at once.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        folder = tmp_path_factory.mktemp("database")
        database.setdefault("TEST", {})["NAME"] = str(folder / "tests.sqlite3")
