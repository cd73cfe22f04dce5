"""What a service that is asked may do to who asks: nothing."""

import socket
import ssl
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.oauth import https
from tests.authority import Authority

HOST = "127.0.0.1"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"


class Dripping(SimpleTestCase):
    """One that says a byte now and then, each in time, holds nobody for ever."""

    def setUp(self):
        authority = Authority()
        pair = authority.server(HOST)
        self.ca = authority.ca
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_text(pair.certificate + pair.key)
            self.context.load_cert_chain(path)
        self.server = socket.create_server((HOST, 0))
        self.addCleanup(self.server.close)
        self.is_over = threading.Event()
        self.addCleanup(self.is_over.set)

    def drip(self, first, with_tls):
        connection, _ = self.server.accept()
        with connection:
            if with_tls:
                connection = self.context.wrap_socket(connection, server_side=True)
            try:
                connection.sendall(first)
                while not self.is_over.wait(0.02):
                    connection.sendall(b"x")
            except OSError:
                return

    def check(self, first, *, with_tls=True):
        thread = threading.Thread(target=self.drip, args=(first, with_tls), daemon=True)
        thread.start()
        began = time.monotonic()
        with mock.patch.object(https, "TOTAL_S", 0.5):
            with pytest.raises(errors.LoginUnavailable) as caught:
                https.get(f"https://{HOST}:{self.server.getsockname()[1]}", ca=self.ca)
        assert time.monotonic() - began < https.TIMEOUT_S
        self.is_over.set()
        thread.join()
        return caught.value.detail

    def test_in_its_body(self):
        assert "no whole answer" in self.check(HEAD + b"\r\n")

    def test_in_its_headers(self):
        assert "no whole answer" in self.check(HEAD + b"X-Long: ")

    def test_in_the_handshake(self):
        """A record that is announced as 16 KiB long, before anybody has proved
        anything."""
        head = b"\x16\x03\x03\x3f\xff"
        assert "no whole answer" in self.check(head, with_tls=False)
