"""Service bindings on the page of their instance: which app, and is it there."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin import names, orphans, sharing
from instances.admin.base import Section, secret_columns, table
from instances.admin.html import age, badge, link, list_url, moment
from instances.engines import ENGINES, Watchable
from instances.models import ServiceBinding, ServiceInstance

MOST_ROWS = 50
UNKNOWN = SafeString("not known by this engine")
NEVER = SafeString("never seen so far")


def section(instance: ServiceInstance) -> Section:
    """The live ones first, each with its app's name if the platform has sent one."""
    rows = instance.bindings.defer(*secret_columns(ServiceBinding))
    gone = ServiceBinding.State.GONE
    found = sorted(rows[:MOST_ROWS], key=lambda row: row.state == gone)
    for row in found:
        row.instance = instance
    return table(
        "Service bindings",
        ("Binding", "State", "App", "Database user", "Since (UTC)", "Last connected"),
        (
            (
                link(row),
                badge(row.state, row.get_state_display()) + orphans.mark(row),
                names.with_guid(row.app, row.app_guid),
                sharing.user(instance, row.username),
                moment(row.created_at),
                connected(row),
            )
            for row in found
        ),
        empty="No app is bound to this service instance: cf bind-service does that.",
        all_url=list_url(ServiceBinding, instance__id__exact=instance.pk),
    )


def connected(row: ServiceBinding) -> SafeString:
    """When a worker has last seen its user connected: it looks about every minute."""
    engine = ENGINES.get(row.instance.plan.offering.engine)
    if not isinstance(engine, Watchable):
        return UNKNOWN
    if row.connected_at is None:
        return NEVER
    return format_html("{} ago", age(row.connected_at))
