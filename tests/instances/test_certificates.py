from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from django.test import SimpleTestCase

from instances import certificates
from tests.authority import Authority, private_pem

NOW = datetime.now(UTC)


class MistakesTest(SimpleTestCase):
    """Each names the field and the cure."""

    authority = Authority()
    pair = authority.client()

    def found(self, **changes: str) -> dict[str, str]:
        right = {
            "ca": self.authority.ca,
            "certificate": self.pair.certificate,
            "key": self.pair.key,
        }
        return dict(certificates.mistakes(**{**right, **changes}, now=NOW))

    def test_what_belongs_together_is_fine(self):
        assert self.found() == {}

    def test_what_is_no_pem(self):
        found = self.found(ca="ca", certificate="", key="-----BEGIN X-----")
        assert sorted(found) == ["tls_ca", "tls_certificate", "tls_key"]
        assert all("Give" in sentence for sentence in found.values())

    def test_a_key_of_another_certificate(self):
        found = self.found(key=self.authority.client().key)
        assert "does not belong" in found["tls_key"]

    def test_a_key_with_a_passphrase(self):
        key = private_pem(ec.generate_private_key(ec.SECP256R1()), b"secret")
        assert "openssl pkey" in self.found(key=key)["tls_key"]

    def test_a_certificate_of_another_ca(self):
        found = self.found(ca=Authority("other").ca)
        assert "No CA of this host has signed it" in found["tls_certificate"]

    def test_a_second_ca_may_have_signed_it(self):
        both = Authority("other").ca + self.authority.ca
        assert self.found(ca=both) == {}

    def test_a_certificate_that_has_expired(self):
        old = self.authority.client(days=-1)
        found = self.found(certificate=old.certificate, key=old.key)
        assert "has expired" in found["tls_certificate"]

    def test_a_ca_that_has_expired(self):
        old = Authority(days=-1)
        client = old.client()
        found = self.found(ca=old.ca, certificate=client.certificate, key=client.key)
        assert "Certificate 1 has expired" in found["tls_ca"]

    def test_a_certificate_in_place_of_the_ca(self):
        server = self.authority.server("docker")
        found = self.found(ca=server.certificate)
        assert "no CA's" in found["tls_ca"]

    def test_a_certificate_for_servers(self):
        server = self.authority.server("docker")
        found = self.found(certificate=server.certificate, key=server.key)
        assert "clientAuth" in found["tls_certificate"]


class ExpiryTest(SimpleTestCase):
    def test_the_first_to_expire_counts_and_is_told_30_days_before(self):
        authority = Authority(days=365)
        expiry = certificates.expires_at(
            authority.ca, authority.client(days=29).certificate
        )
        assert certificates.is_soon(expiry, NOW)
        assert not certificates.is_soon(expiry, NOW - timedelta(days=2))

    def test_no_certificate_never_expires(self):
        assert certificates.expires_at("", "") is None
        assert not certificates.is_soon(None, NOW)
