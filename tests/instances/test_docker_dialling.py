"""The way to an engine, to a small server that plays it: TLS, deadlines, identity."""

import http.server
import json
import os
import ssl
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import Access, breaker, connect, is_failing
from instances.containers.access import private_files
from instances.containers.docker_api import _clients
from instances.containers.docker_dialling import _context
from tests.authority import Authority, Pair

INFO = {"ID": "ONE", "ServerVersion": "27.0", "MemTotal": 2**30, "OSType": "linux"}


class Engine(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        body = self.server.answers.get(self.path.rpartition("/")[2], b"{}")
        self.send_response(200)
        self.send_header("Api-Version", self.server.api_version)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body:
            time.sleep(self.server.pause_s)
            self.wfile.write(bytes([byte]))

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        pass  # refused handshakes


class DiallingTestCase(SimpleTestCase):
    authority = Authority()
    pair = authority.client()

    def serve(self, tls: Pair | None = None) -> Server:
        server = Server(("127.0.0.1", 0), Engine)
        server.paths, server.api_version, server.pause_s = [], "1.46", 0
        server.answers = {
            "info": json.dumps(INFO).encode(),
            "version": b'{"ApiVersion": "1.46", "MinAPIVersion": "1.24"}',
        }
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with private_files({"c": tls.certificate, "k": tls.key}) as folder:
                context.load_cert_chain(folder / "c", folder / "k")
            context.load_verify_locations(cadata=self.authority.ca)
            context.verify_mode = ssl.CERT_REQUIRED
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def access(self, server: Server, **changes: str) -> Access:
        access = Access(
            url=f"tcp://127.0.0.1:{server.server_port}",
            tls_ca=self.authority.ca,
            tls_certificate=self.pair.certificate,
            tls_key=self.pair.key,
        )
        return replace(access, **changes)

    def trouble(self, access: Access, **options: int) -> str:
        with pytest.raises(errors.HostUnreachable) as caught:
            connect(access, **options).describe()
        return caught.value.detail


class TlsTest(DiallingTestCase):
    def test_the_right_certificates_reach_it(self):
        server = self.serve(self.authority.server("127.0.0.1"))
        assert connect(self.access(server)).describe().version == "27.0"

    def test_another_ca_is_refused_whatever_the_environment_says(self):
        """S1: requests would take REQUESTS_CA_BUNDLE before ours."""
        server = self.serve(self.authority.server("127.0.0.1"))
        access = self.access(server, tls_ca=Authority("other").ca)
        with private_files({"ca.pem": self.authority.ca}) as folder:
            path = str(folder / "ca.pem")
            names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
            with mock.patch.dict(os.environ, dict.fromkeys(names, path)):
                assert "is not signed by the CA of this host" in self.trouble(access)
        assert server.paths == []

    def test_a_proxy_in_the_environment_is_not_used(self):
        server = self.serve(self.authority.server("127.0.0.1"))
        names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy")
        proxies = dict.fromkeys(names, "http://127.0.0.1:9")
        with mock.patch.dict(os.environ, proxies):
            assert connect(self.access(server)).describe().engine_id == "ONE"

    def test_a_name_that_is_not_in_the_certificate(self):
        server = self.serve(self.authority.server("docker.example.org"))
        assert "is for another name" in self.trouble(self.access(server))

    def test_a_certificate_of_the_engine_that_has_expired(self):
        server = self.serve(self.authority.server("127.0.0.1", days=-1))
        assert "has expired: renew it" in self.trouble(self.access(server))

    def test_a_client_certificate_that_the_engine_refuses(self):
        server = self.serve(self.authority.server("127.0.0.1"))
        stranger = Authority("stranger").client()
        access = self.access(
            server, tls_certificate=stranger.certificate, tls_key=stranger.key
        )
        assert "refuses the client certificate" in self.trouble(access)

    def test_plain_http_where_tls_is_expected_and_the_other_way_round(self):
        plain = self.serve()
        assert "does not speak TLS" in self.trouble(self.access(plain))
        tls = self.serve(self.authority.server("127.0.0.1"))
        without = Access(self.access(tls).url)
        assert "docker" in self.trouble(without).lower()

    def test_keys_are_on_the_disk_for_a_moment_only(self):
        """S17: and nobody else can read them then."""
        with private_files({"key": "secret"}) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            assert (folder / "key").stat().st_mode & 0o777 == 0o600
        assert not folder.exists()
        _context.cache_clear()
        with tempfile.TemporaryDirectory() as empty:
            server = self.serve(self.authority.server("127.0.0.1"))
            with mock.patch.object(tempfile, "tempdir", empty):
                connect(self.access(server)).ping()
            assert list(Path(empty).iterdir()) == []


class DeadlineTest(DiallingTestCase):
    def test_an_answer_that_drips_does_not_hold_the_caller(self):
        """F33: a time-out for each read would never strike."""
        server = self.serve()
        access = Access(self.access(server).url)
        connect(access).ping()
        server.pause_s = 0.1
        started_at = time.monotonic()
        self.trouble(access, timeout_s=1)
        assert time.monotonic() - started_at < 1 + 3 + 1

    def test_a_dead_host_is_not_asked_by_everybody(self):
        """F33, I13: the breaker opens, and lets one through later."""
        server = self.serve()
        access = Access(self.access(server).url)
        server.shutdown()
        server.server_close()
        for _ in range(breaker.MOST_FAILURES):
            assert "nothing listens" in self.trouble(access)
        assert is_failing(access.url)
        assert "not asked again" in self.trouble(access)


class IdentityTest(DiallingTestCase):
    def test_another_engine_behind_a_known_name_is_asked_nothing(self):
        """F44."""
        server = self.serve()
        access = Access(self.access(server).url, engine_id="ANOTHER")
        with pytest.raises(errors.WrongEngine) as caught:
            connect(access).list(broker_id="b")
        assert caught.value.found == "ONE"
        assert set(server.paths) == {"/info"}

    def test_it_is_seen_on_each_new_connection(self):
        """F44: the machine may be another one at any time."""
        server = self.serve()
        host = connect(Access(self.access(server).url, engine_id="ONE"))
        host.ping()
        server.answers["info"] = json.dumps({**INFO, "ID": "TWO"}).encode()
        host.ping()  # still the same connection
        _clients.by_access.clear()
        with pytest.raises(errors.WrongEngine):
            host.ping()

    def test_what_answers_may_not_be_docker_at_all(self):
        server = self.serve()
        server.answers["info"] = b"<html>"
        assert "no Docker Engine" in self.trouble(Access(self.access(server).url))


class VersionTest(DiallingTestCase):
    def test_the_newest_that_both_speak_is_used(self):
        """F45: Docker 29 refuses what is older than 1.44."""
        server = self.serve()
        connect(Access(self.access(server).url)).describe()
        assert "/v1.45/info" in server.paths

    def test_an_old_engine_is_spoken_to_in_its_own_version(self):
        server = self.serve()
        server.api_version = "1.42"
        connect(Access(self.access(server).url)).describe()
        assert "/v1.42/info" in server.paths

    def test_one_that_is_too_old_is_told(self):
        """F45."""
        server = self.serve()
        server.api_version = "1.30"
        assert "20.10 or newer" in self.trouble(Access(self.access(server).url))
