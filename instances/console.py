"""The console: Django's admin under the product's name, grouped for operators."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from instances.logins import sessions
from instances.models import DockerHost, LoginAttempt

logger = logging.getLogger(__name__)
GROUPS = {
    "Services": ("ServiceInstance", "ServiceBinding", "Backup", "Operation", "BulkRun"),
    "Docker": ("DockerHost", "Container", "PortLease"),
    "Catalog": ("ServiceOffering", "ServicePlan"),
    "Access and history": (
        "Broker",
        "BrokerCredential",
        "AuditEvent",
        "Worker",
        "LoginAttempt",
    ),
}
_ORDER = [name for names in GROUPS.values() for name in names]


class LoginForm(AdminAuthenticationForm):
    """After too many wrong passwords for a name from one address: later."""

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        if not settings.LOCAL_LOGIN:
            raise ValidationError("Passwords are switched off here: log in above.")
        if not username or self.request is None:
            return super().clean()
        address = self.request.META.get("REMOTE_ADDR", "")
        # Locked, the right password too is not looked at: an answer would tell it.
        until = LoginAttempt.objects.begin(username, address)
        if until is not None:
            # Not the name: some have typed their password there.
            logger.warning("too many failed logins of the console from %s", address)
            raise ValidationError(
                f"Too many failed logins. Wait until {until:%H:%M} UTC, or ask an "
                "administrator to unlock you under “Failed logins”."
            )
        cleaned = super().clean()
        LoginAttempt.objects.forgive(username, address)
        return cleaned


class Console(AdminSite):
    login_form = LoginForm
    site_title = "brokersite"
    site_header = "brokersite"
    index_title = "Overview"
    site_url = None

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if context["has_permission"]:
            context["insecure_hosts"] = insecure_hosts()
        return context

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "has_provider": bool(settings.OPERATOR_LOGIN),
            "has_passwords": settings.LOCAL_LOGIN,
            "ended": request.session.pop(sessions.ENDED, ""),
            "idle_minutes": settings.SESSION_IDLE_S // 60,
            **(extra_context or {}),
        }
        response: HttpResponse = super().login(request, context)
        if request.method == "POST" and response.status_code == 302:
            sessions.begin(request)
        return response

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        # Importing instances.admin registers its pages with this site: not before
        # the site is there.
        from instances.admin import attention, overview
        from instances.admin.glance import glance

        context = {
            "attention": attention.needs_a_person(),
            "overview": overview.sections(),
            "glance": glance(),
        }
        return super().index(request, {**context, **(extra_context or {})})

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[Any]:
        """The broker's models in groups; on the page of the whole app, in one."""
        listing: list[Any] = []
        for app in super().get_app_list(request, app_label):
            if app["app_label"] != "instances":
                listing.append(app)
                continue
            app["models"].sort(key=lambda model: _ORDER.index(model["object_name"]))
            listing[:0] = [app] if app_label else _grouped(app)
        return listing


def _grouped(app: Any) -> list[Any]:
    groups = []
    for title, names in GROUPS.items():
        models = [model for model in app["models"] if model["object_name"] in names]
        if models:
            groups.append({**app, "name": title, "models": models})
    return groups


def insecure_hosts() -> list[DockerHost]:
    """Hosts whose Docker Engine anyone on the way may command (SECURITY S1)."""
    hosts = DockerHost.objects.only("name", "url", "tls_ca")
    return [host for host in hosts if host.is_insecure]
