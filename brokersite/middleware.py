"""Django's own middleware, each in a form that leaves the platform's /v2 alone.

Sessions, CSRF, messages and the content security policy are for browsers; a
platform polls thousands of times an hour and authenticates each request.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from csp import middleware as csp
from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware import clickjacking, common, csrf, security
from whitenoise import middleware as whitenoise

from instances import views
from instances.logins import sessions as logins
from osbapi.fresh import Fresh

Handler = Callable[[HttpRequest], HttpResponseBase]


def is_platform(request: HttpRequest) -> bool:
    return request.path_info.lstrip("/").startswith("v2/")


class HealthMiddleware:
    """Answer /healthz and /readyz before the Host header and the scheme are checked.

    Cloud Foundry's checks name the container's IP address as the host, come over plain
    HTTP and take nothing but 200.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match request.path_info:
            case "/healthz":
                return HttpResponse("ok\n", content_type="text/plain")
            case "/readyz":
                return views.ready(request)
            case "/readyz/worker":
                return views.worker_ready(request)
        return self._get_response(request)


class ClientAddressMiddleware:
    """Take the client's address from where the last trusted router has written it.

    All that routers pass on comes from their own address otherwise: one who guesses
    passwords would keep everybody waiting. What stands further to the left in
    X-Forwarded-For is the client's own word (SECURITY S40).
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        hops = settings.FORWARDED_HOPS
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if hops and len(told) >= hops and told[-hops].strip():
            request.META["REMOTE_ADDR"] = told[-hops].strip()
        return self._get_response(request)


class EncodedPathMiddleware:
    """Route the platform's requests by their path as it was sent, still encoded.

    An id may hold an encoded slash, which WSGI has decoded away: the views decode
    each id once, after the routing (OSB-CHECKLIST 28).
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_platform(request):
            sent = request.META.get("RAW_URI", "").partition("?")[0]
            if not sent.startswith("/"):  # an absolute URI, as a proxy may send it
                sent = urlsplit(sent).path
            request.path_info = sent or quote(request.path_info, safe="/")
        return self._get_response(request)


class ForgetMiddleware:
    """Have what the console may have changed count in this process at once."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if request.method not in ("GET", "HEAD") and not is_platform(request):
            Fresh.forget_all()
        return response


class IdleMiddleware:
    """Log out who was away for long (SECURITY S51). Needs the session."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_platform(request):
            logins.keep(request)
        return self._get_response(request)


def _browser_only(base: type) -> type:
    class BrowserOnly(base):
        def __call__(self, request: HttpRequest) -> HttpResponseBase:
            if is_platform(request):
                return self.get_response(request)  # type: ignore[no-any-return]
            return super().__call__(request)  # type: ignore[no-any-return]

        if hasattr(base, "process_view"):

            def process_view(self, request: HttpRequest, *args: Any) -> Any:
                if is_platform(request):
                    return None
                return super().process_view(request, *args)

    BrowserOnly.__name__ = BrowserOnly.__qualname__ = base.__name__
    return BrowserOnly


SecurityMiddleware = _browser_only(security.SecurityMiddleware)
WhiteNoiseMiddleware = _browser_only(whitenoise.WhiteNoiseMiddleware)
CSPMiddleware = _browser_only(csp.CSPMiddleware)
SessionMiddleware = _browser_only(sessions.SessionMiddleware)
CommonMiddleware = _browser_only(common.CommonMiddleware)
CsrfViewMiddleware = _browser_only(csrf.CsrfViewMiddleware)
AuthenticationMiddleware = _browser_only(auth.AuthenticationMiddleware)
MessageMiddleware = _browser_only(messages.MessageMiddleware)
XFrameOptionsMiddleware = _browser_only(clickjacking.XFrameOptionsMiddleware)
