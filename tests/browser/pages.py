"""The addresses of all pages of the console, for the rows that a site has."""

import re
import uuid
from collections.abc import Iterator

from django.apps import apps
from django.contrib.admin.utils import quote
from django.db.models import Model, UUIDField

from tests.instances.admin import expectations, routes
from tests.system.site import Site

OF_CHOSEN = {"instances_serviceinstance", "instances_servicebinding"}
"""Models with pages about the rows that their query names."""
OF_ALL = ("_changelist", "_add")
FILES = {"instances_backup_checksum"}
"""There after the first download."""


def addresses(site: Site) -> Iterator[tuple[str, str]]:
    """The key of each page that a superuser may look at, and its path and query.

    By the tables that the matrix of roles is tested with: no page can be left out.
    """
    for route in routes.every():
        page = expectations.of_page(route.key, route.model)
        is_no_page = route.key in FILES or route.key.endswith("/<path:object_id>/")
        if is_no_page or not page.is_found or "superuser" not in page.get:
            continue
        path = page.path or route.pattern
        if "<" in path:
            key = _latest(site, apps.get_model(route.model.replace("_", ".")))
            path = re.sub(r"<[^>]+>", key, path)
        elif route.model in OF_CHOSEN and not route.key.endswith(OF_ALL):
            key = _latest(site, apps.get_model(route.model.replace("_", ".")))
            path = f"{path}?id={key}"
        yield route.key, f"{routes.ROOT}{path}"


def _latest(site: Site, model: type[Model]) -> str:
    """The key of the row that was made last, as it stands in an address."""
    meta = model._meta
    key = meta.pk.column
    rows = site.rows(f"SELECT {key} FROM {meta.db_table} ORDER BY rowid DESC LIMIT 1")
    assert rows, f"The site has no {meta.verbose_name} to look at."
    found = rows[0][0]
    return quote(str(uuid.UUID(found) if isinstance(meta.pk, UUIDField) else found))
