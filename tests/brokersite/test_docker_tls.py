from django.test import SimpleTestCase

from instances.containers.access import private_files
from tests.authority import Authority
from tests.brokersite.test_environment import load, refusal


class DockerTlsTest(SimpleTestCase):
    authority = Authority()
    pair = authority.client()

    def variables(self, **changes: str) -> dict[str, str]:
        return {
            "DOCKER_HOST": "tcp://docker.example",
            "DATABASE_HOST": "192.0.2.1",
            "DOCKER_TLS_CA": self.authority.ca,
            "DOCKER_TLS_CERT": self.pair.certificate,
            "DOCKER_TLS_KEY": self.pair.key,
            **changes,
        }

    def test_certificates_make_tcp_safe_and_2376_the_port(self):
        docker = load(**self.variables()).docker
        assert docker.url == "tcp://docker.example:2376"
        assert docker.tls_key == self.pair.key
        assert self.pair.key not in repr(docker)

    def test_what_does_not_fit_is_named_by_its_variable(self):
        text = refusal(**self.variables(DOCKER_TLS_KEY=self.authority.client().key))
        assert "DOCKER_TLS_KEY" in text and "does not belong" in text
        assert "DOCKER_TLS_CERT" in refusal(**self.variables(DOCKER_TLS_CERT=""))

    def test_the_files_of_dockers_own_tools(self):
        named = {
            "ca.pem": self.authority.ca,
            "cert.pem": self.pair.certificate,
            "key.pem": self.pair.key,
        }
        empty = dict.fromkeys(
            ("DOCKER_TLS_CA", "DOCKER_TLS_CERT", "DOCKER_TLS_KEY"), ""
        )
        with private_files(named) as folder:
            files = {"DOCKER_CERT_PATH": str(folder), "DOCKER_TLS_VERIFY": "1"}
            docker = load(**self.variables(**empty, **files)).docker
            assert docker.tls_certificate == self.pair.certificate
        text = refusal(**self.variables(**empty, **files))
        assert "DOCKER_CERT_PATH" in text and "key.pem" in text
