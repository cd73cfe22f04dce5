"""Pages show what would not be seen: control characters, and those that turn text.

A log line may hold a terminal's escapes, a name a right-to-left override that makes
it look like another one. Templates escape HTML; this does the rest, for all pages.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

# In UTF-8, where no character's bytes begin within another's: C0 without tab and
# line ends, DEL, C1, and the overrides, embeddings and isolates of Unicode's UAX 9.
_UNSEEN = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
    rb"|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
)


class VisibleMiddleware:
    """Stands inside the others, so that they see the answer as it is sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if is_page and isinstance(response, HttpResponse):
            content = response.content
            if _UNSEEN.search(content):
                response.content = _UNSEEN.sub(_shown, content)
        return response


def _shown(match: re.Match[bytes]) -> bytes:
    """␛ for an escape, ⟨U+202E⟩ for what has no picture of its own."""
    code = ord(match[0].decode())
    if code < 0x20:
        return chr(0x2400 + code).encode()
    return ("␡" if code == 0x7F else f"⟨U+{code:04X}⟩").encode()
