"""TLS to the broker's own database: what is asked for is what is verified."""

import json
import socket
import ssl
import tempfile
import threading
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from django.test import SimpleTestCase

from tests.brokersite.certificates import Authority
from tests.brokersite.test_environment import load, refusal


class TLSTest(SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.ca = Authority()

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def variables(self, scheme: str, credentials: dict[str, Any]) -> dict[str, str]:
        uri = f"{scheme}://u:p@db.example/n"
        binding = {"name": "db", "credentials": {"uri": uri, **credentials}}
        return {
            "VCAP_SERVICES": json.dumps({"any": [binding]}),
            "STATE_DIRECTORY": str(self.folder),
        }

    def options(self, scheme: str, credentials: Any = (), **more: str) -> Any:
        variables = self.variables(scheme, dict(credentials))
        return load(**variables, **more).database["OPTIONS"]

    def context(self, **credentials: Any) -> ssl.SSLContext:
        found = self.options("mysql", credentials)["ssl"]
        assert isinstance(found, ssl.SSLContext)
        return found


class MySQLTest(TLSTest):
    def test_a_ca_is_used_wherever_it_is_said(self):
        pem = self.ca.pem
        for credentials in (
            *({"tls": {"cert": {"ca": pem}}}, {"tls": {"ca": pem}}),
            *({"ca_certificate": pem}, {"sslrootcert": pem}, {"ssl_ca": pem}),
            {"ca_certificate_base64": b64encode(pem.encode()).decode()},
            {"ca": pem.replace("\n", "\\n")},
            {"ca": pem, "uri": "mysql://u:p@h/n?useSSL=false"},
        ):
            context = self.context(**credentials)
            assert context.verify_mode == ssl.CERT_REQUIRED
            assert context.check_hostname
            assert len(context.get_ca_certs()) == 1, "that CA, and no other"

    def test_the_name_is_not_looked_at_where_the_service_says_so(self):
        context = self.context(ca=self.ca.pem, sslmode="verify-ca")
        assert context.verify_mode == ssl.CERT_REQUIRED and not context.check_hostname

    def test_without_a_ca_it_is_the_drivers_own_way(self):
        assert "ssl" not in self.options("mysql")

    def test_what_is_required_is_encrypted(self):
        for said in ({"use_tls": True}, {"uri": "mysql://h/n?ssl-mode=REQUIRED"}):
            assert self.context(**said).verify_mode == ssl.CERT_NONE

    def test_verification_without_a_ca_takes_the_systems(self):
        context = self.context(sslmode="verify-full")
        assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname

    def test_the_operators_word_wins(self):
        given = {"ca": self.ca.pem}
        options = self.options("mysql", given, DATABASE_TLS="verify-ca")
        assert not options["ssl"].check_hostname
        assert self.options("mysql", given, DATABASE_TLS="off")["ssl_disabled"]
        own = self.options("mysql", DATABASE_CA=self.ca.pem)
        assert own["ssl"].verify_mode == ssl.CERT_REQUIRED

    def test_what_is_no_ca_or_no_mode_is_named(self):
        variables = self.variables("mysql", {"ca": "canary"})
        text = refusal(**variables, DATABASE_TLS="perhaps")
        assert "db: the CA is not a certificate" in text and "canary" not in text
        assert "DATABASE_TLS is 'perhaps': give one of off, prefer" in text

    def test_a_server_of_another_ca_is_refused(self):
        """And one of this CA is not: the context does verify."""
        context = self.context(ca=self.ca.pem)
        assert self.shake_hands(context, self.ca.certificate("db.example"))
        for certificate in (
            Authority().certificate("db.example"),
            self.ca.certificate("other.example"),
        ):
            with pytest.raises(ssl.SSLCertVerificationError):
                self.shake_hands(context, certificate)

    def shake_hands(
        self, context: ssl.SSLContext, certificate: tuple[str, str]
    ) -> bool:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = [self.folder / name for name in ("server", "key")]
        for path, text in zip(files, certificate, strict=True):
            path.write_text(text)
        server.load_cert_chain(*files)
        ours, theirs = socket.socketpair()

        def serve() -> None:
            try:
                server.wrap_socket(theirs, server_side=True).close()
            except OSError:
                theirs.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with context.wrap_socket(ours, server_hostname="db.example") as line:
                return line.version() is not None
        finally:
            ours.close()
            thread.join(10)


class PostgreSQLTest(TLSTest):
    def test_a_ca_is_kept_where_only_the_broker_reads_it(self):
        options = self.options("postgres", {"ca_certificate": self.ca.pem})
        assert options["sslmode"] == "verify-full"
        path = Path(options["sslrootcert"])
        assert path.read_text() == self.ca.pem
        assert path.is_relative_to(self.folder)
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0

    def test_it_is_the_same_file_at_every_start(self):
        options = [self.options("postgres", {"ca": self.ca.pem}) for _ in range(2)]
        assert options[0]["sslrootcert"] == options[1]["sslrootcert"]

    def test_each_mode_is_passed_on(self):
        for said, mode in (
            *(("require", "require"), ("disable", "disable")),
            *(("verify-ca", "verify-ca"), ("verify-full", "verify-full")),
        ):
            uri = f"postgres://h/n?sslmode={said}"
            assert self.options("postgres", {"uri": uri})["sslmode"] == mode

    def test_without_a_word_it_is_preferred(self):
        assert self.options("postgres")["sslmode"] == "prefer"

    def test_a_certificate_of_ours_comes_with_its_key(self):
        """Google Cloud SQL asks for one."""
        certificate, key = self.ca.certificate("client")
        given = {"sslrootcert": self.ca.pem, "sslcert": certificate, "sslkey": key}
        options = self.options("postgres", given)
        assert Path(options["sslcert"]).read_text() == certificate
        assert Path(options["sslkey"]).read_text() == key

    def test_a_state_directory_that_takes_no_file_is_named(self):
        (self.folder / "tls").write_text("")
        variables = self.variables("postgres", {"ca": self.ca.pem})
        assert "STATE_DIRECTORY does not take" in refusal(**variables)
