"""The page of a service instance, and the way through the platform's login to it."""

import logging

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from instances import errors
from instances.dashboard import access
from instances.dashboard.page import content, find

logger = logging.getLogger(__name__)
NOT_YOURS = (
    "Your account at the platform may not see this service instance. A manager of its "
    "space can give you the role of a developer there."
)
NO_ROLE = "Your user of the console has no role that lets it see service instances."


@never_cache
@require_safe
def instance(request: HttpRequest, guid: str) -> HttpResponse:
    visitor = access.find_visitor(request, guid)
    if visitor is None:
        return _to_login(request, guid)
    row = find(guid)
    if row is None:
        return _trouble(request, "There is no such service instance any more.", 404)
    context = {"visitor": visitor, **content(row, may_manage=visitor.may_manage)}
    return render(request, "dashboard/instance.html", context)


@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Where the platform sends the browser back to."""
    if not settings.PLATFORM_LOGIN:
        raise Http404
    try:
        guid, is_allowed = access.finish(request)
    except errors.LoginUnavailable as error:
        return _unavailable(request, error)
    except errors.LoginRefused as error:
        logger.warning("platform's login failed: %s", error.detail)
        hint = f"{error} Open the dashboard anew from cf service."
        return _trouble(request, hint, 403)
    if not is_allowed:
        return _trouble(request, NOT_YOURS, 403, again_url=_url(guid))
    return HttpResponseRedirect(_url(guid))


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    access.forget(request)
    return _trouble(request, "You are logged out here. The platform's own login lasts.")


def _to_login(request: HttpRequest, guid: str) -> HttpResponse:
    """The platform's where it is known, else the operators'."""
    if not settings.PLATFORM_LOGIN:
        if request.user.is_authenticated:
            return _trouble(request, NO_ROLE, 403)
        return redirect_to_login(_url(guid), reverse("admin:login"))
    try:
        return HttpResponseRedirect(access.begin(request, guid))
    except errors.LoginUnavailable as error:
        return _unavailable(request, error, again_url=_url(guid))


def _url(guid: str) -> str:
    return reverse("dashboard:instance", args=[guid])


def _unavailable(
    request: HttpRequest, error: errors.BrokerError, again_url: str = ""
) -> HttpResponse:
    logger.warning("platform's login is not available: %s", error.detail)
    text = f"{error} Your database goes on; try this page again in a minute."
    return _trouble(request, text, 503, again_url=again_url)


def _trouble(
    request: HttpRequest, problem: str, status: int = 200, *, again_url: str = ""
) -> HttpResponse:
    context = {"problem": problem, "again_url": again_url, "status": status}
    return render(request, "dashboard/trouble.html", context, status=status)
