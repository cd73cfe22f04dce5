"""The proxy breaks what it is told to break, and nothing else."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from tests.chaos.proxy import Action, Proxy, Rule

ANSWER = json.dumps({"Id": "a" * 200}).encode()


class Engine(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    executed: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.executed.append(f"{self.path} {body.decode()}".strip())
        if "attach" in self.path:
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")
            self.wfile.write(self.connection.recv(5).upper())
            self.close_connection = True
            return
        self.send_response(201)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    def address_string(self) -> str:
        return "engine"

    def log_message(self, *_: Any) -> None:
        """Not to stderr."""


class Line(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        self.request(method, path, body)
        answer = self.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    engine = tmp_path / "engine.sock"
    Engine.executed = []
    with ThreadingUnixStreamServer(str(engine), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Proxy(tmp_path / "proxy.sock", engine) as proxy:
            yield proxy
        server.shutdown()


@pytest.fixture
def line(proxy: Proxy) -> Line:
    return Line(proxy.url.removeprefix("unix://"))


def create(action: Action, **more: Any) -> Rule:
    return Rule(action, "POST", "/containers/create", **more)


LOST = (http.client.HTTPException, OSError)


class TestProxy:
    def test_without_a_rule_all_passes_on_one_line(self, proxy: Proxy, line: Line):
        proxy.arm(create(Action.ERROR))
        assert line.ask("GET", "/containers/create") == (200, b"abcdefg")
        assert line.ask("POST", "/containers/x/start", "{}") == (201, ANSWER)
        assert Engine.executed == ["/containers/x/start {}"]
        assert [call.status for call in proxy.calls] == [200, 201]

    @pytest.mark.parametrize(
        ("action", "times"),
        [
            (Action.DROP_BEFORE, 0),
            (Action.DROP_AFTER, 1),
            (Action.HANG, 1),
            (Action.TRUNCATE, 1),
        ],
    )
    def test_lost_answers(self, proxy: Proxy, line: Line, action: Action, times: int):
        """F36, F38: lost is lost, whether it was executed or not."""
        proxy.arm(create(action))
        with pytest.raises(LOST):
            line.ask("POST", "/containers/create?name=a", "x")
        assert Engine.executed == ["/containers/create?name=a x"] * times
        assert proxy.calls[-1].action == action
        line.close()
        assert line.ask("POST", "/containers/create", "y")[0] == 201  # once only

    def test_error_is_not_executed(self, proxy: Proxy, line: Line):
        proxy.arm(create(Action.ERROR))
        status, said = line.ask("POST", "/containers/create")
        assert (status, b"fault" in said, Engine.executed) == (500, True, [])

    def test_duplicate_is_executed_twice_and_answered_once(
        self, proxy: Proxy, line: Line
    ):
        """F37."""
        proxy.arm(create(Action.DUPLICATE))
        assert line.ask("POST", "/containers/create", "x") == (201, ANSWER)
        assert Engine.executed == ["/containers/create x"] * 2

    def test_late_is_executed_after_the_caller_has_gone(self, proxy: Proxy, line: Line):
        """F35."""
        proxy.arm(create(Action.LATE, seconds=0.2))
        with pytest.raises(LOST):
            line.ask("POST", "/containers/create", "x")
        assert Engine.executed == []
        deadline = threading.Event()
        for _ in range(100):
            if Engine.executed:
                break
            deadline.wait(0.05)
        assert Engine.executed == ["/containers/create x"]

    def test_what_is_upgraded_is_only_copied(self, proxy: Proxy, line: Line):
        line.connect()
        line.sock.sendall(b"POST /exec/attach HTTP/1.1\r\nHost: docker\r\n\r\nhello")
        said = b""
        while piece := line.sock.recv(1000):
            said += piece
        assert said.startswith(b"HTTP/1.1 101") and said.endswith(b"HELLO")

    def test_down_cuts_all_lines(self, proxy: Proxy, line: Line):
        assert line.ask("GET", "/x")[0] == 200
        proxy.go_down(0.3)
        with pytest.raises(LOST):
            while True:
                line.ask("GET", "/x")
