"""Set up an installation: its catalog, first host, logins and keys."""

import secrets
from pathlib import Path
from typing import Any

import yaml
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection, transaction
from django.forms import model_to_dict

from instances import errors
from instances.encryption import EncryptedTextField, rotate
from instances.engines import get_engine
from instances.models import (
    Broker,
    BrokerCredential,
    DockerHost,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import hosts

UNREACHED_MEMORY_MB = 2048
"""The budget of a host that could not be asked how much it has."""
SHARE_FOR_DATABASES = 0.8


def check_readable() -> None:
    """Raise ImproperlyConfigured unless ENCRYPTION_KEYS open what is stored."""
    try:
        Broker.this()
    except errors.Unreadable as error:
        raise ImproperlyConfigured(f"ENCRYPTION_KEYS: {error.detail}") from error


def load_catalog(path: Path) -> list[str]:
    """Upsert the offerings and plans of a YAML file by id; return what was done.

    Raise InvalidRequest that names the entry and the field.
    """
    try:
        document = yaml.safe_load(path.read_text())
        offerings = document["offerings"]
    except (OSError, yaml.YAMLError, TypeError, KeyError) as error:
        raise errors.InvalidRequest(f"{path} is not a catalog: {error}") from error
    done: list[str] = []
    with transaction.atomic():
        for entry in offerings:
            plans = entry.pop("plans", [])
            offering = _upsert(ServiceOffering, entry, done)
            get_engine(offering.engine)
            for plan in plans:
                _upsert(ServicePlan, {**plan, "offering_id": offering.pk}, done)
    return done


def _upsert(model: type[Any], fields: dict[str, Any], done: list[str]) -> Any:
    label = f"{model._meta.verbose_name} {fields.get('name', fields.get('id'))}"
    known = {field.attname for field in model._meta.concrete_fields}
    unknown = sorted(set(fields) - known)
    if unknown or "id" not in fields:
        wrong = f"does not know {', '.join(unknown)}" if unknown else "has no id"
        raise errors.InvalidRequest(f"{label} {wrong}")
    row = model.objects.filter(pk=fields["id"]).first() or model()
    before = None if row._state.adding else model_to_dict(row)
    for name, value in fields.items():
        setattr(row, name, value)
    try:
        row.full_clean()
    except ValidationError as error:
        raise errors.InvalidRequest(f"{label}: {error.message_dict}") from error
    row.save()
    if before is None:
        done.append(f"added {label}")
    else:
        is_same = before == model_to_dict(row)
        done.append(f"{'kept' if is_same else 'changed'} {label}")
    return row


def ensure_host(*, url: str, database_host: str, publish_address: str) -> DockerHost:
    """The first Docker host, made from the environment when there is none."""
    existing = DockerHost.objects.first()
    if existing is not None:
        return existing
    host = DockerHost(
        name="first",
        url=url,
        database_host=database_host,
        publish_address=publish_address,
        memory_mb=UNREACHED_MEMORY_MB,
    )
    try:
        description = hosts.connect(host, timeout_s=10).describe()
        host.memory_mb = int(description.memory_mb * SHARE_FOR_DATABASES)
    except errors.HostUnreachable as error:
        host.problem = error.detail
    host.save()
    return host


def ensure_operator(username: str, password: str) -> str | None:
    """Make the first operator if there is none; return the password, else None."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = password or secrets.token_urlsafe(18)
    users.create_superuser(username, password=password)
    return password


def ensure_broker_login(username: str, password: str) -> str | None:
    """Make the first login for a platform; return the password, else None."""
    if BrokerCredential.objects.exists():
        return None
    password = password or secrets.token_urlsafe(24)
    credential = BrokerCredential(username=username)
    credential.set_password(password)
    credential.save()
    return password


def rotate_keys() -> int:
    """Rewrite every encrypted value under the first key; return how many.

    Can be stopped and run again, beside a running broker: each value is only
    replaced if it is still the one that was read. Raise Unreadable.
    """
    rotated = 0
    for model in apps.get_app_config("instances").get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                rotated += _rotate_column(model, field)
    return rotated


def _rotate_column(model: Any, field: EncryptedTextField) -> int:
    """Below the ORM, which would show the secrets instead of their tokens."""
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(model._meta.pk.column)
    column = quote(str(field.column))
    rotated = 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} <> ''")
        for pk, token in cursor.fetchall():
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s",
                [rotate(token), pk, token],
            )
            rotated += cursor.rowcount
    return rotated
