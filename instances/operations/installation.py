"""Set up an installation: its first host, logins and keys."""

import secrets
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from instances import errors
from instances.encryption import EncryptedTextField, rotate
from instances.models import Broker, BrokerCredential, DockerHost
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


def ensure_host(
    *,
    url: str,
    database_host: str,
    publish_address: str,
    tls_ca: str = "",
    tls_certificate: str = "",
    tls_key: str = "",
) -> DockerHost:
    """The first Docker host, made from the environment when there is none."""
    existing = DockerHost.objects.order_by("pk").first()
    if existing is not None:
        return existing
    host = DockerHost(
        name="first",
        url=url,
        database_host=database_host,
        publish_address=publish_address,
        tls_ca=tls_ca,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
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
