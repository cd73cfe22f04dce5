"""The router retries what gorouter retries, and nothing else."""

import http.client
import socket
import threading
from collections.abc import Callable

from django.test import SimpleTestCase

from tests.cf.router import Router

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


class Backend:
    """Answers each connection in turn as it is told; remembers what it was sent."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._behaviours: tuple[Callable[[socket.socket], None], ...] = ()

    def start(self, *answers: tuple[bytes, ...]) -> None:
        self._behaviours = tuple(self.answer(*each) for each in answers)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for behave in self._behaviours:
            connection, _ = self._listener.accept()
            with connection:
                behave(connection)

    def answer(self, *answers: bytes) -> Callable[[socket.socket], None]:
        def behave(connection: socket.socket) -> None:
            for answer in answers:
                received = connection.recv(65536)
                if not received:
                    return
                self.seen.append(received.decode())
                connection.sendall(answer)

        return behave


class RouterTest(SimpleTestCase):
    def setUp(self):
        self.router = self.enterContext(Router("app.example.com"))

    def ask(self, method: str = "GET", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.router.port)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, "/", "x" if method == "PUT" else None, names)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status != 200 or body == b"ok"
        return answer.status

    def backend(self, *answers: tuple[bytes, ...]) -> Backend:
        backend = Backend()
        backend.start(*answers)
        self.router.register(backend.address)
        return backend

    def refusing(self) -> tuple[str, int]:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            address = closed.getsockname()
        self.router.register(address)
        return address

    def test_without_a_route_it_is_404(self):
        assert self.ask() == 404

    def test_the_app_is_told_how_the_client_came(self):
        backend = self.backend((OK,))
        assert self.ask(X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="http") == 200
        head = backend.seen[0]
        assert "X-Forwarded-For: 203.0.113.7, 127.0.0.1\r\n" in head
        assert "X-Forwarded-Proto: https\r\n" in head
        assert "http\r\n" not in head
        assert "X-Vcap-Request-Id: " in head and "X-Request-Start: " in head

    def test_chunks_are_joined(self):
        self.backend((CHUNKED,))
        assert self.ask() == 200

    def test_a_refused_connection_sends_any_request_to_another_instance(self):
        self.refusing()
        self.backend((OK, OK, OK, OK))
        for _ in range(2):
            assert self.ask("PUT") == 200
        assert self.router.counts.retries >= 1

    def test_when_all_refuse_it_is_502(self):
        self.refusing()
        assert self.ask() == 502

    def test_what_was_sent_and_not_answered_is_not_sent_again(self):
        backend = self.backend((b"",), (OK,))
        assert self.ask("PUT") == 502
        assert len(backend.seen) == 1

    def test_an_idempotent_request_on_a_kept_connection_is(self):
        backend = self.backend((OK, b""), (OK,))
        assert self.ask() == 200
        assert self.ask() == 200
        assert len(backend.seen) == 3

    def test_connections_are_kept(self):
        backend = self.backend((OK, OK))
        assert [self.ask(), self.ask("PUT")] == [200, 200]
        assert len(backend.seen) == 2
