"""The site's routes: the platform's API, the console, health."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views import defaults
from django.views.generic import RedirectView

from brokersite.metrics import metrics
from brokersite.middleware import is_platform
from osbapi import errors

urlpatterns = [
    # A broker that is registered with a trailing slash is asked for //v2/catalog.
    re_path(r"^/?v2/", include("osbapi.urls")),
    path("admin/", admin.site.urls),
    path("login/", include("instances.logins.urls")),
    path("dashboard/", include("instances.dashboard.urls")),
    path("metrics", metrics),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_platform(request):
        return errors.bad_request(request, exception)
    return defaults.bad_request(request, exception)


def handler500(request: HttpRequest, *args: Any) -> HttpResponse:
    if is_platform(request):
        return errors.server_error(request)
    return defaults.server_error(request)
