"""The service that holds the broker's own rows: MariaDB or PostgreSQL, over TLS.

Run from this project's own images, and described as such services describe themselves
in VCAP_SERVICES (FACTS 9).
"""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import psycopg
import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from instances.engines import verifiers
from tests.cf.packed import packed
from tests.cf.staging import LABEL

HOSTNAME = "database.services.internal"
SERVER = 999
"""The user that both images run as."""
TLS = "/run/brokersite-cf"
NAME = "broker"


class Backing:
    """One database server; `restart` is what its operator does to it."""

    image: str
    command: list[str]
    first: str
    """The database that the server has from the start."""
    sessions_sql: str

    def __init__(self, client: docker.DockerClient, network: str, app_id: str) -> None:
        self.password = secrets.token_urlsafe(24)
        self._admin_password = secrets.token_urlsafe(24)
        self.ca, files = certificates()
        self._network = network
        self.container = client.containers.create(
            self.image,
            self.command,
            name=f"brokersite-cf-database-{app_id[:8]}",
            environment=self._verifier(),
            labels={LABEL: app_id},
            mem_limit="512m",
        )
        # Like the platform's own databases it is in a network that the app can reach.
        client.networks.get("bridge").disconnect(self.container)
        client.networks.get(network).connect(self.container, aliases=[HOSTNAME])
        self.container.put_archive("/run", files)
        self.container.start()
        self._wait()
        self._create()

    def restart(self) -> None:
        self.container.restart(timeout=10)

    @property
    def host(self) -> str:
        self.container.reload()
        networks = self.container.attrs["NetworkSettings"]["Networks"]
        return str(networks[self._network]["IPAddress"])

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                return self._connect(self.first).close()
            except (psycopg.OperationalError, pymysql.OperationalError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def sessions(self) -> int:
        """How many connections the app has now."""
        return int(self.rows(self.sessions_sql)[0][0])

    def vcap_services(self) -> dict[str, Any]:
        return self.described(HOSTNAME, self.password, self.ca)

    @staticmethod
    def described(host: str, password: str, ca: str) -> dict[str, Any]:
        """VCAP_SERVICES."""
        raise NotImplementedError

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database itself says."""
        with self._connect() as session, session.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _verifier(self) -> dict[str, str]:
        raise NotImplementedError

    def _connect(self, name: str = NAME) -> Any:
        raise NotImplementedError

    def _create(self) -> None:
        raise NotImplementedError


class MariaDB(Backing):
    image = "brokersite/mariadb:10.11.2"
    first = "mysql"
    sessions_sql = (
        "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'broker'"
    )
    command = [
        *(f"--ssl-ca={TLS}/ca.pem", f"--ssl-cert={TLS}/cert.pem"),
        *(f"--ssl-key={TLS}/key.pem", "--require-secure-transport=ON"),
    ]

    def _verifier(self) -> dict[str, str]:
        return {"ADMIN_HASH": verifiers.mysql_native_password(self._admin_password)}

    def _connect(self, name: str = NAME) -> Any:
        return pymysql.connect(
            host=self.host,
            user="brokersite",
            password=self._admin_password,
            database=name,
            autocommit=True,
            ssl={"check_hostname": False},
        )

    def _create(self) -> None:
        with self._connect(self.first) as session, session.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
            cursor.execute(f"CREATE USER {NAME}@'%%' IDENTIFIED BY %s", self.password)
            cursor.execute(f"GRANT ALL PRIVILEGES ON {NAME}.* TO {NAME}@'%'")

    @staticmethod
    def described(host: str, password: str, ca: str) -> dict[str, Any]:
        login = f"{NAME}:{password}"
        credentials = {
            "hostname": host,
            "port": 3306,
            "name": NAME,
            "username": NAME,
            "password": password,
            "uri": f"mysql://{login}@{host}:3306/{NAME}?reconnect=true",
            "tls": {"cert": {"ca": ca}},
        }
        return _service("p.mysql", ["mysql"], credentials)


class PostgreSQL(Backing):
    image = "brokersite/postgres:15"
    first = "postgres"
    sessions_sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'broker'"
    command = [
        *("-c", "ssl=on"),
        *("-c", f"ssl_cert_file={TLS}/cert.pem", "-c", f"ssl_key_file={TLS}/key.pem"),
    ]

    def _verifier(self) -> dict[str, str]:
        return {"ADMIN_VERIFIER": verifiers.scram_sha_256(self._admin_password)}

    def _connect(self, name: str = NAME) -> Any:
        return psycopg.connect(
            host=self.host,
            user="brokersite",
            password=self._admin_password,
            dbname=name,
            autocommit=True,
            sslmode="require",
        )

    def _create(self) -> None:
        with self._connect(self.first) as session:
            session.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{self.password}'")
            session.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")

    @staticmethod
    def described(host: str, password: str, ca: str) -> dict[str, Any]:
        login = f"{NAME}:{password}"
        credentials = {
            "hosts": [host],
            "hostname": host,
            "port": 5432,
            "db": NAME,
            "name": NAME,
            "user": NAME,
            "username": NAME,
            "password": password,
            "uri": f"postgresql://{login}@{host}:5432/{NAME}",
            "sslrootcert": ca,
        }
        return _service("postgresql", ["postgresql", "postgres"], credentials)


KINDS = {"mariadb": MariaDB, "postgres": PostgreSQL}


def secrets_service(values: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What `cf create-user-provided-service` makes of secrets.json."""
    return _service("user-provided", [], values, name="brokersite-secrets")


def _service(
    label: str,
    tags: list[str],
    credentials: dict[str, Any],
    *,
    name: str = "brokersite-database",
) -> dict[str, list[dict[str, Any]]]:
    binding = {
        "label": label,
        "provider": None,
        "plan": "small",
        "name": name,
        "instance_name": name,
        "binding_name": None,
        "tags": tags,
        "credentials": credentials,
        "syslog_drain_url": None,
        "volume_mounts": [],
    }
    return {label: [binding]}


def certificates(hostname: str = HOSTNAME) -> tuple[str, bytes]:
    """A CA's certificate, and an archive with what the server needs."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _certificate("brokersite cf-test CA", ca_key, "brokersite cf-test CA", ca_key)
    names = x509.SubjectAlternativeName([x509.DNSName(hostname)])
    certificate = _certificate(hostname, key, "brokersite cf-test CA", ca_key, names)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    ca_pem = ca.public_bytes(pem)
    files = {"ca.pem": ca_pem, "cert.pem": certificate.public_bytes(pem)}
    files["key.pem"] = private
    return ca_pem.decode(), packed(TLS.rpartition("/")[2], files, owner=SERVER)


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), True)
    )
    if names is not None:
        builder = builder.add_extension(names, False)
    return builder.sign(issuer_key, hashes.SHA256())
