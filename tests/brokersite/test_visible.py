from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from brokersite.visible import VisibleMiddleware


def shown(response):
    answered = VisibleMiddleware(lambda request: response)
    return answered(RequestFactory().get("/admin/")).content.decode()


class TestPages:
    def test_escapes_of_terminals_are_seen(self):
        page = HttpResponse("a\x1b[31mred\x00\x7f\x9b2J")
        assert shown(page) == "a␛[31mred␀␡⟨U+009B⟩2J"

    def test_what_turns_text_around_is_seen(self):
        page = HttpResponse("\u202egnp.exe\u202c \u2066x\u2069")
        assert shown(page) == "⟨U+202E⟩gnp.exe⟨U+202C⟩ ⟨U+2066⟩x⟨U+2069⟩"

    def test_other_text_stays_as_it_is(self):
        text = "tab\tline\r\nÂ é € … “שלום\u200f” 🐘"
        assert shown(HttpResponse(text)) == text


class TestOtherAnswers:
    def test_files_and_streams_are_left_alone(self):
        assert "\u202e" in shown(HttpResponse("\u202e", content_type="text/plain"))
        stream = StreamingHttpResponse(iter([b"\x00"]))
        kept = VisibleMiddleware(lambda request: stream)(RequestFactory().get("/"))
        assert b"".join(kept) == b"\x00"
