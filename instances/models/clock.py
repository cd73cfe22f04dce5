"""The database's clock: one for all processes, whatever theirs say (FAILURES F25)."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


def database_now(rows: models.QuerySet[Any]) -> datetime:
    """What the database's clock says; one of these rows has to be there.

    Raise IndexError if there is none: a SELECT needs a table on some databases.
    """
    now: datetime = rows.order_by().values_list(Now(), flat=True)[0]
    return now


def claim_period() -> timedelta:
    return timedelta(seconds=2 * settings.OPERATION_LEASE_S)


def claim_until(rows: models.QuerySet[Any]) -> datetime:
    """The end of a claim on one of these. Not Now(): the value is the claim's proof."""
    return database_now(rows) + claim_period()
