"""Readiness of servers whose protocol is not known: here they are sockets."""

import socket
import threading
import time
from collections.abc import Callable
from unittest import mock

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.engines import probes
from instances.engines.base import Endpoint
from instances.engines.generic import ENGINE

CREDENTIALS = {"a": "b"}


class ProbeTestCase(SimpleTestCase):
    def serve(self, answer: Callable[[socket.socket], None]) -> Endpoint:
        """A server that does this with each connection, until the test ends."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.requests: list[bytes] = []

        def run() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    try:
                        answer(line)
                    except OSError:
                        pass  # the client has hung up

        threading.Thread(target=run, daemon=True).start()
        return self.endpoint(listener.getsockname()[1])

    def endpoint(self, port: int) -> Endpoint:
        settings = {"port": 80, "credentials": CREDENTIALS, **self.SETTINGS}
        return Endpoint("127.0.0.1", port, "secret", settings)

    def assert_nobody_is_unreachable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        assert f"127.0.0.1:{port}" in self.refusal(self.endpoint(port))

    def refusal(self, endpoint: Endpoint) -> str:
        with pytest.raises(errors.EngineUnreachable) as caught:
            ENGINE.check(endpoint)
        return caught.value.detail


class TcpTest(ProbeTestCase):
    SETTINGS = {"readiness": "tcp"}

    def test_nobody_there_is_unreachable(self):
        self.assert_nobody_is_unreachable()

    def test_silence_is_a_server(self):
        ENGINE.check(self.serve(lambda line: line.recv(1)))

    def test_a_greeting_is_a_server(self):
        ENGINE.check(self.serve(lambda line: line.sendall(b"220 hello\r\n")))

    def test_a_connection_that_is_closed_at_once_is_none(self):
        """FACTS §2: docker-proxy accepts before the server listens."""
        endpoint = self.serve(lambda line: None)
        assert "closed at once" in self.refusal(endpoint)

    def test_a_reset_is_none(self):
        linger = b"\1\0\0\0\0\0\0\0"

        def reset(line: socket.socket) -> None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        assert "reset" in self.refusal(self.serve(reset))


class HttpTest(ProbeTestCase):
    SETTINGS = {
        "readiness": "http",
        "readiness_path": "/health",
        "readiness_status": 204,
    }

    def answering(self, head: str) -> Endpoint:
        def answer(line: socket.socket) -> None:
            self.requests.append(line.recv(4096))
            line.sendall(head.encode())

        return self.serve(answer)

    def test_nobody_there_is_unreachable(self):
        self.assert_nobody_is_unreachable()

    def test_the_status_is_what_counts(self):
        ENGINE.check(self.answering("HTTP/1.1 204 No Content\r\n\r\n"))
        (request,) = self.requests
        assert request.startswith(b"GET /health HTTP/1.1\r\n")

    def test_another_status_is_not_ready(self):
        endpoint = self.answering("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
        assert "/health answers 503, not 204" in self.refusal(endpoint)

    def test_a_redirect_is_not_followed(self):
        """S36."""
        head = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n"
        assert "302" in self.refusal(self.answering(head))
        assert len(self.requests) == 1

    def test_no_proxy_of_the_environment_is_asked(self):
        nobody = {
            "http_proxy": "http://127.0.0.1:1",
            "HTTP_PROXY": "http://127.0.0.1:1",
        }
        with mock.patch.dict("os.environ", nobody):
            ENGINE.check(self.answering("HTTP/1.1 204 No Content\r\n\r\n"))

    def test_what_is_not_http_is_not_ready(self):
        assert "BadStatusLine" in self.refusal(self.answering("220 smtp\r\n"))

    def test_a_body_without_an_end_is_not_read(self):
        def answer(line: socket.socket) -> None:
            line.recv(4096)
            line.sendall(b"HTTP/1.1 204 Fine\r\nContent-Length: 999999999\r\n\r\n")
            while True:
                line.sendall(b"x" * 65536)

        ENGINE.check(self.serve(answer))

    def test_an_answer_that_never_comes_to_its_point_is_hung_up_on(self):
        """Each piece is within the socket's own limit; all of them are not."""

        def delay(line: socket.socket) -> None:
            line.recv(4096)
            while True:
                line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.02)

        endpoint = self.serve(delay)
        with mock.patch.object(probes, "ANSWER_LIMIT_S", 0.2):
            self.refusal(endpoint)
