"""Operators who log in at an identity provider: their users, and their roles."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone

from instances import errors
from instances.logins import sessions
from instances.models import AuditEvent, OperatorIdentity
from instances.oauth.provider import Identity

logger = logging.getLogger(__name__)


def admit(identity: Identity) -> Any:
    """The user of the console, with the roles of now. Raise LoginRefused."""
    roles = roles_of(identity.claims)
    user = _find(identity)
    if user is None and roles:
        user = _make(identity)
    if user is not None:
        synchronise(user, roles)
    if user is None or not roles:
        name = settings.OPERATOR_LOGIN["roles_claim"]
        raise errors.LoginRefused(
            "You are known, but have no role in this console: ask an administrator "
            f"for one of its groups ({name}).",
            detail=f"subject={identity.subject} has no group with a role",
        )
    if not user.is_active:
        raise errors.LoginRefused(
            "This user is switched off in the console.", detail=f"user {user}"
        )
    OperatorIdentity.objects.filter(user=user).update(last_login_at=timezone.now())
    return user


def roles_of(claims: dict[str, Any]) -> set[str]:
    """By the groups that the ID token names: a list, or words with spaces between."""
    login = settings.OPERATOR_LOGIN
    given = claims.get(login["roles_claim"])
    names = given.split() if isinstance(given, str) else given
    listed = names if isinstance(names, list) else []
    has = {name for name in listed if isinstance(name, str)}
    return {role for role, groups in login["roles"].items() if has & set(groups)}


def synchronise(user: Any, roles: set[str]) -> None:
    """Give and take the console's own roles; a change ends the user's sessions."""
    managed = Group.objects.filter(name__in=settings.OPERATOR_LOGIN["roles"])
    had = set(managed.filter(user=user).values_list("name", flat=True))
    if had == roles and user.is_staff == bool(roles):
        return
    with transaction.atomic():
        user.groups.remove(*managed.exclude(name__in=roles))
        user.groups.add(*managed.filter(name__in=roles))
        user.is_staff = bool(roles)
        user.save(update_fields=["is_staff"])
        AuditEvent.objects.create(
            actor_kind="operator",
            actor_name=user.get_username(),
            action="roles by identity provider",
            target=f"user {user}",
            changes={"roles": [sorted(had), sorted(roles)]},
        )
    sessions.log_out_everywhere(user)
    logger.info("user=%s has the roles %s", user.pk, sorted(roles))


def _find(identity: Identity) -> Any:
    key = OperatorIdentity.key_of(identity.issuer, identity.subject)
    row = OperatorIdentity.objects.select_related("user").filter(key=key).first()
    return None if row is None else row.user


def _make(identity: Identity) -> Any:
    """A user without a password. One of that name who is there already stays apart."""
    claim = settings.OPERATOR_LOGIN["username_claim"]
    key = OperatorIdentity.key_of(identity.issuer, identity.subject)
    name = identity.name(claim, "user_name", "email")
    users = get_user_model().objects
    if users.filter(username__iexact=name).exists():
        name = f"{name[:140]} {key[:8]}"
    try:
        with transaction.atomic():
            user = users.create_user(name)
            OperatorIdentity.objects.create(
                key=key,
                issuer=identity.issuer[:500],
                subject=identity.subject[:255],
                user=user,
                last_login_at=timezone.now(),
            )
    except IntegrityError:
        found = _find(identity)  # made by another login of the same moment
        if found is None:
            raise
        return found
    return user
