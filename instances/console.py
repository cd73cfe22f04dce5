"""The console: Django's admin under the product's name, grouped for operators."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from instances.guesses import guesses
from instances.models import DockerHost

GROUPS = {
    "Services": ("ServiceInstance", "ServiceBinding", "Backup", "Operation", "BulkRun"),
    "Docker": ("DockerHost", "Container", "PortLease"),
    "Catalog": ("ServiceOffering", "ServicePlan"),
    "Access and history": ("Broker", "BrokerCredential", "AuditEvent", "Worker"),
}
_ORDER = [name for names in GROUPS.values() for name in names]


class LoginForm(AdminAuthenticationForm):
    """After too many wrong passwords for a name from one address: later."""

    def clean(self) -> dict[str, Any]:
        address = self.request.META.get("REMOTE_ADDR") if self.request else ""
        source = f"console {address} {self.cleaned_data.get('username')}"
        wait_s = guesses.wait_s(source)
        if wait_s:
            raise ValidationError(
                f"Too many wrong passwords: try again in {wait_s} seconds."
            )
        try:
            return super().clean()
        except ValidationError:
            guesses.note(source)
            raise


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

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        # Importing instances.admin registers its pages with this site: not before
        # the site is there.
        from instances.admin.glance import glance

        return super().index(request, {"glance": glance(), **(extra_context or {})})

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
