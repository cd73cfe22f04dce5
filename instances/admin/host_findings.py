"""What reconciliation has found on a Docker host, and what a person does about it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from instances import errors
from instances.admin.base import Section, record
from instances.admin.chosen import confirmation, operator
from instances.admin.html import badge, change_url, isolated, moment
from instances.models import Container, DockerHost, Finding
from instances.operations import strangers

CONCEDE_URL = "instances_dockerhost_concede"
REMOVE_URL = "instances_dockerhost_remove_container"
ADOPT_URL = "instances_dockerhost_adopt"
TEMPLATE = "admin/instances/section_findings.html"
MOST_ROWS = 100
TAIL = 6


class ExactForm(forms.Form):
    """Some words, typed before that which cannot be taken back."""

    confirmation = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    def __init__(self, data: Any, *, expected: str, asked: str) -> None:
        super().__init__(data)
        self._expected, self._asked = expected, asked
        self.fields["confirmation"].label = f"Type {asked}"

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self._expected:
            raise forms.ValidationError(f"This is not {self._asked}. Look again.")
        return typed


def urls(model_admin: Any) -> list[Any]:
    views = {
        CONCEDE_URL: ("concede", concede),
        REMOVE_URL: ("remove-container", remove),
    }
    return [
        path(
            f"<path:object_id>/{word}/",
            model_admin.admin_site.admin_view(partial(view, model_admin)),
            name=name,
        )
        for name, (word, view) in views.items()
    ]


def section(request: HttpRequest, model_admin: Any, host: DockerHost) -> Section:
    """What stands; nothing is asked for it."""
    may = model_admin.has_reconcile_permission(request, host)
    found = list(host.standing.all()[: MOST_ROWS + 1])
    content = {
        "host": host,
        "braked": moment(host.braked_at) if host.is_braked else "",
        "concede_url": reverse(f"admin:{CONCEDE_URL}", args=[quote(host.pk)]),
        "may_settle": may,
        "headers": ("Since (UTC)", "Where", "What", "What is done about it"),
        "rows": list(_rows(host, found[:MOST_ROWS], may=may)),
        "is_cut": len(found) > MOST_ROWS,
    }
    return Section("Differences from the rows", TEMPLATE, content)


def of_container(container: Container) -> list[Section]:
    """The same for one container; nothing if it is what its row says."""
    rows = Finding.objects.filter(host=container.host_id)
    mine = rows.filter(name=container.name) | rows.filter(
        name__startswith=f"{container.name}/"
    )
    found = list(_rows(container.host, mine[:MOST_ROWS], may=False))
    if not found:
        return []
    content = {
        "headers": ("Since (UTC)", "Where", "What", "What is done about it"),
        "rows": found,
    }
    return [Section("Differences from its row", TEMPLATE, content)]


def _rows(host: DockerHost, found: Any, *, may: bool) -> Iterator[tuple[object, ...]]:
    names = [row.name.partition("/")[0] for row in found]
    hexes = [name.removeprefix("brokersite-") for name in names]
    known = {
        row.name: row
        for row in Container.objects.filter(
            pk__in=[text for text in hexes if _is_id(text)]
        ).only("pk")
    }
    for row, name in zip(found, names, strict=True):
        text = format_html(
            "{}<br>{}", row.get_kind_display(), isolated(row.text, longest=300)
        )
        is_unknown = row.kind == Finding.Kind.UNKNOWN
        cure = _buttons(host, row) if is_unknown and may else row.cure
        where = isolated(row.name)
        if name in known:
            where = format_html(
                '<a href="{}">{}</a>', change_url(known[name]), isolated(row.name)
            )
        yield moment(row.found_at), where, text + _described(row), cure


def _is_id(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def _described(row: Finding) -> SafeString:
    if row.kind != Finding.Kind.UNKNOWN:
        return SafeString()
    said = row.details
    ports = ", ".join(map(str, said.get("ports") or ())) or "no port"
    return format_html(
        "<br>{} {}, {}",
        badge(str(said.get("state", ""))[:20]),
        isolated(str(said.get("image", ""))),
        ports,
    )


def _buttons(host: DockerHost, row: Finding) -> SafeString:
    query = urlencode({"container": row.name})
    links = [
        (f"{reverse(f'admin:{name}', args=[quote(host.pk)])}?{query}", label)
        for name, label in ((ADOPT_URL, "Adopt…"), (REMOVE_URL, "Remove…"))
    ]
    (adopt, adopt_label), (gone, gone_label) = links
    return format_html(
        '<a class="button" href="{}">{}</a> <a class="button" href="{}">{}</a>',
        *(adopt, adopt_label, gone, gone_label),
    )


def get_host(
    request: HttpRequest, object_id: str, is_allowed: Callable[..., bool]
) -> DockerHost:
    """The row with its secrets, which are not selected for pages."""
    try:
        host = DockerHost.objects.filter(pk=unquote(object_id)).first()
    except ValueError:
        host = None
    if host is None:
        raise Http404
    if not is_allowed(request, host):
        raise PermissionDenied
    return host


def get_stranger(request: HttpRequest, host: DockerHost) -> Finding:
    source = request.POST if request.method == "POST" else request.GET
    try:
        return strangers.find(host, source.get("container", ""))
    except errors.NotFound:
        raise Http404 from None


def back_to(host: DockerHost) -> str:
    return f"{change_url(host)}#findings"


def concede(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """What is missing is really gone, an operator says: go on."""
    host = get_host(request, object_id, model_admin.has_reconcile_permission)
    if not host.is_braked or host.missing is None:
        messages.info(request, f"Nothing is held back on {host}.")
        return HttpResponseRedirect(back_to(host))
    is_post = request.method == "POST"
    form = ExactForm(
        request.POST if is_post else None,
        expected=str(host.missing),
        asked="how many containers are missing",
    )
    if not (is_post and form.is_valid()):
        template = "admin/instances/concede_confirmation.html"
        return page(request, model_admin, host, template, "Really gone", form=form)
    if host.concede(host.missing):
        changes = {"missing": host.missing}
        record(request, "release brake", f"Docker host {host.name}", changes)
        messages.success(request, f"Work goes on on {host} within seconds.")
    else:
        messages.error(request, "By now the number is another one: look again.")
    return HttpResponseRedirect(back_to(host))


def remove(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """A container that nobody will adopt."""
    host = get_host(request, object_id, model_admin.has_reconcile_permission)
    found = get_stranger(request, host)
    is_post = request.method == "POST"
    form = ExactForm(
        request.POST if is_post else None,
        expected=found.name[-TAIL:],
        asked=f"the last {TAIL} characters of its name",
    )
    if not (is_post and form.is_valid()):
        template = "admin/instances/remove_confirmation.html"
        title = "Remove container"
        return page(request, model_admin, host, template, title, form=form, found=found)
    try:
        strangers.remove(host, found.name, actor=operator(request))
    except errors.BrokerError as error:
        messages.error(request, f"{found.name}: {error} {error.detail}")
    else:
        messages.success(request, f"{found.name} is removed.")
    return HttpResponseRedirect(back_to(host))


def page(
    request: HttpRequest,
    model_admin: Any,
    host: DockerHost,
    template: str,
    title: str,
    **context: Any,
) -> HttpResponse:
    return confirmation(
        request,
        model_admin,
        template,
        [],
        host=host,
        title=title,
        back_url=back_to(host),
        **context,
    )
