"""Who may see the page of a service instance, and for how long that is believed.

No token is kept. When the belief is over, the browser is sent through the platform's
login again, which its users do not notice while they are logged in there.
"""

import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest

from instances.logins import configured, controller, flow, sessions
from instances.models import ServiceInstance, ServiceOffering
from instances.models.service_instance import digest

CALLBACK = "dashboard:callback"
BELIEVED_S = 300
MOST = 50
"""Service instances that a session remembers at a time."""


@dataclass(frozen=True)
class Visitor:
    name: str
    may_manage: bool
    is_operator: bool = False


def find_visitor(request: HttpRequest, guid: str) -> Visitor | None:
    """Who is known already to be allowed to see it."""
    operator = _operator(request)
    if operator is not None:
        return operator
    known = request.session.get(sessions.PLATFORM)
    if not known or not settings.PLATFORM_LOGIN:
        return None
    granted = known["instances"].get(digest(guid))
    if granted is None or not 0 <= time.time() - granted["at"] < BELIEVED_S:
        return None
    return Visitor(known["name"], granted["manage"])


def _operator(request: HttpRequest) -> Visitor | None:
    user = request.user
    may = user.is_active and user.is_staff
    if not may or not user.has_perm("instances.view_serviceinstance"):
        return None
    return Visitor(user.get_username(), may_manage=True, is_operator=True)


def begin(request: HttpRequest, guid: str) -> str:
    """The platform's address to log in at. Raise LoginUnavailable."""
    return flow.begin(
        request,
        configured.platform(_offering_id(guid)),
        redirect_uri=configured.absolute(CALLBACK),
        target=guid,
    )


def finish(request: HttpRequest) -> tuple[str, bool]:
    """The service instance that was wanted, and whether it may be seen.

    Raise LoginRefused, LoginUnavailable.
    """
    redirect_uri = configured.absolute(CALLBACK)
    guid = flow.target_of(request, redirect_uri=redirect_uri)
    provider = configured.platform(_offering_id(guid))
    finished = flow.finish(request, provider, redirect_uri=redirect_uri)
    identity = finished.identity
    allowed = controller.permissions(guid, identity.access_token)
    name = identity.name("user_name", "preferred_username", "email")
    _remember(request, identity.subject, name, guid, allowed)
    return guid, allowed.may_read


def _remember(
    request: HttpRequest,
    subject: str,
    name: str,
    guid: str,
    allowed: controller.Permissions,
) -> None:
    known = request.session.get(sessions.PLATFORM) or {}
    is_new = known.get("subject") != subject
    granted = {} if is_new else dict(known["instances"])
    granted.pop(digest(guid), None)
    if allowed.may_read:
        granted[digest(guid)] = {"at": int(time.time()), "manage": allowed.may_manage}
    newest = dict(list(granted.items())[-MOST:])
    if is_new:
        # Whoever knew the session's key before the login does not know it any more.
        request.session.cycle_key()
        if SESSION_KEY not in request.session:
            sessions.begin(request)
    request.session[sessions.PLATFORM] = {
        "subject": subject,
        "name": name,
        "instances": newest,
    }


def forget(request: HttpRequest) -> None:
    """Log the platform's user out of here; an operator's login is another matter."""
    request.session.pop(sessions.PLATFORM, None)
    request.session.pop(flow.KEY, None)
    request.session.cycle_key()


def _offering_id(guid: str) -> str:
    """That of the instance, whose client the platform has; else of any."""
    live = ServiceInstance.objects.filter(live_key=digest(guid))
    offered = ServiceOffering.objects.filter(active=True).order_by("pk")
    own = live.values_list("plan__offering", flat=True).first()
    return own or offered.values_list("pk", flat=True).first() or ""
