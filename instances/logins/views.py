"""The operators' way to their provider, and back."""

import logging

from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from instances import errors
from instances.logins import configured, flow, operators, sessions

logger = logging.getLogger(__name__)
BACKEND = "django.contrib.auth.backends.ModelBackend"
CALLBACK = "logins:callback"


@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    _check_configured()
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts=None, require_https=request.is_secure()
    )
    try:
        url = flow.begin(
            request,
            configured.operators(),
            redirect_uri=configured.absolute(CALLBACK),
            target=wanted if is_ours else reverse("admin:index"),
        )
    except errors.LoginUnavailable as error:
        return _trouble(request, error, 503)
    return HttpResponseRedirect(url)


@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    _check_configured()
    try:
        finished = flow.finish(
            request,
            configured.operators(),
            redirect_uri=configured.absolute(CALLBACK),
        )
        user = operators.admit(finished.identity)
    except errors.LoginUnavailable as error:
        return _trouble(request, error, 503)
    except errors.LoginRefused as error:
        return _trouble(request, error, 403)
    # A change of roles has just ended the user's sessions: this one may be of them.
    request.session.flush()
    login(request, user, backend=BACKEND)
    sessions.begin(request)
    return HttpResponseRedirect(finished.target)


def _check_configured() -> None:
    if not settings.OPERATOR_LOGIN:
        raise Http404


def _trouble(
    request: HttpRequest, error: errors.BrokerError, status: int
) -> HttpResponse:
    logger.warning("operator's login failed: %s", error.detail)
    context = {
        "problem": str(error),
        "again_url": reverse("logins:begin"),
        "status": status,
    }
    return render(request, "dashboard/trouble.html", context, status=status)
