"""OSB-CHECKLIST 8: the site below a path of a host."""

from brokersite.prefix import below


def seen(prefix: str, path: str, raw: str = "") -> dict[str, str]:
    """What the application behind the prefix gets."""
    environ = {"PATH_INFO": path, "RAW_URI": raw or path, "SCRIPT_NAME": ""}
    below(prefix, lambda environ, start: [])(environ, lambda *_: None)
    return environ


class TestBelow:
    def test_the_prefix_is_taken_off_the_path_and_the_raw_uri(self) -> None:
        environ = seen("/broker", "/broker/v2/catalog", "/broker/v2/catalog?a=b")
        assert environ["PATH_INFO"] == "/v2/catalog"
        assert environ["RAW_URI"] == "/v2/catalog?a=b"
        assert environ["SCRIPT_NAME"] == "/broker"

    def test_a_router_that_took_it_off_already_changes_nothing(self) -> None:
        environ = seen("/broker", "/v2/catalog")
        assert environ["PATH_INFO"] == "/v2/catalog"
        assert environ["SCRIPT_NAME"] == "/broker"

    def test_a_path_that_only_begins_alike_is_left_alone(self) -> None:
        assert seen("/broker", "/brokers/v2")["PATH_INFO"] == "/brokers/v2"

    def test_without_a_prefix_there_is_no_script_name(self) -> None:
        assert seen("", "/v2/catalog")["SCRIPT_NAME"] == ""
