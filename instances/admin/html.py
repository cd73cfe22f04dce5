"""Small pieces of HTML for lists and pages. Every text is escaped."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

LONGEST_LABEL = 60
NOTHING = SafeString("-")
"""What stands in a cell or a field that has nothing to show."""
TONES = {
    "good": (
        "ready",
        "in_use",
        "standby",
        "active",
        "succeeded",
        "alive",
        "reached",
        "there",
        "verified",
        "finished",
    ),
    "busy": (
        "provisioning",
        "deprovisioning",
        "creating",
        "deleting",
        "starting",
        "running",
        "retiring",
        "adopting",
        "working",
        "taking",
        "expiring",
        "started",
    ),
    "wait": (
        "queued",
        "wanted",
        "cordoned",
        "draining",
        "created",
        "paused",
        "restarting",
        "resting",
        "kept",
        "committed",
        "planned",
        "waiting",
    ),
    "bad": (
        *("failed", "refused", "exited", "dead"),
        *("silent", "not reached", "missing", "lost"),
    ),
}
TONE_OF = {state: tone for tone, states in TONES.items() for state in states}


def badge(state: str, label: str = "", *, tone: str = "") -> SafeString:
    """The state as a word on a colour. Without a tone, the one its name stands for."""
    tone = tone or TONE_OF.get(state, "quiet")
    text = label or state.replace("_", " ")
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)


def shorten(text: str, longest: int = LONGEST_LABEL) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def isolated(text: str, longest: int = LONGEST_LABEL) -> SafeString:
    """Text of strangers, which must not turn around what stands beside it."""
    if not text:
        return NOTHING
    return format_html('<bdi title="{}">{}</bdi>', text, shorten(text, longest))


def whole(text: str) -> SafeString:
    return format_html("<bdi>{}</bdi>", text) if text else NOTHING


def change_url(row: Model) -> str:
    meta = row._meta
    return reverse(
        f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(row.pk)]
    )


def list_url(model: type[Model], **filters: Any) -> str:
    """The list of that model, filtered by lookups."""
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def link(row: Model | None, text: str = "") -> SafeString:
    """A link to the row's page, if there is a row."""
    if row is None:
        return NOTHING
    label = text or str(row)
    return format_html(
        '<a href="{}" title="{}"><bdi>{}</bdi></a>',
        change_url(row),
        label,
        shorten(label),
    )


def count_link(count: int, model: type[Model], **filters: Any) -> SafeString:
    """The number as a link to the rows that it counts."""
    if not count:
        return SafeString("0")
    return format_html('<a href="{}">{}</a>', list_url(model, **filters), count)


def moment(at: datetime | None) -> SafeString:
    """UTC to the second; pointing at it shows how long ago that was, or until then."""
    if at is None:
        return NOTHING
    age = timezone.now() - at
    return format_html(
        '<time datetime="{}" title="{}"><span>{}</span> <span>{}</span></time>',
        at.isoformat(timespec="seconds"),
        f"in {span(-age)}" if age < timedelta() else f"{span(age)} ago",
        f"{at:%Y-%m-%d}",
        f"{at:%H:%M:%S}",
    )


def age(at: datetime | None) -> SafeString:
    """How long ago that was; pointing at it shows the moment in UTC."""
    if at is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        at.isoformat(timespec="seconds"),
        f"{at:%Y-%m-%d %H:%M:%S}",
        span(max(timezone.now() - at, timedelta())),
    )


def mebibytes(size_bytes: int | None) -> str:
    """A size in MiB, with a digit behind the point while that says something."""
    if size_bytes is None:
        return NOTHING
    size = size_bytes / 2**20
    return f"{size:.0f} MiB" if size >= 10 else f"{size:.1f} MiB"


def span(length: timedelta) -> str:
    """A length of time with its two largest units: 340 ms, 2.5 s, 3 min 4 s, 2 d 3 h"""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds // 86400:.0f} d {seconds % 86400 // 3600:.0f} h"


def preformatted(text: str) -> SafeString:
    return format_html('<pre class="text">{}</pre>', text) if text else NOTHING


def as_json(value: Any) -> SafeString:
    """The value as indented JSON, if there is anything in it."""
    if not value:
        return NOTHING
    return preformatted(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))


def as_list(words: Iterable[object]) -> str:
    return ", ".join(str(word) for word in words) or NOTHING


def as_lines(texts: Iterable[object]) -> SafeString:
    """One below the other, if there are any."""
    lines = ((text,) for text in texts)
    return format_html_join(SafeString("<br>"), "<bdi>{}</bdi>", lines) or NOTHING
