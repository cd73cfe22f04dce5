"""The way to a Docker Engine: a socket to unix://, tcp:// with or without TLS, ssh://.

Own code rather than docker-py's transports: those take a proxy, a CA bundle or an ssh
configuration from the environment before what they are given, and know no deadline.
"""

import os
import queue
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from instances.containers import docker_trouble
from instances.containers.access import Access, private_files
from instances.containers.deadlines import (
    LimitedSocket,
    LimitedSSLSocket,
    Limits,
)

Line = LimitedSocket | LimitedSSLSocket
HOST_ALIAS = "docker-host"
SSH_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "HostKeyAlias": HOST_ALIAS,
    "CheckHostIP": "no",
    "UpdateHostKeys": "no",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "PreferredAuthentications": "publickey",
    "ClearAllForwardings": "yes",
    # A machine that is gone ends the connection, even in a long silence.
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}


class DialFailed(Exception):
    """There is no connection; its text is a sentence for the operator.

    No OSError: urllib3 and requests let it through as it is.
    """


@contextmanager
def dialled(access: Access, limits: Limits) -> Iterator[Line]:
    """A socket to the engine, closed if the block fails. Raise DialFailed.

    The block says the first words: until it ends, ssh finds its key.
    """
    parts = urlsplit(access.url)
    if parts.scheme == "ssh":
        with _by_ssh(access, parts, limits) as line:
            yield line
        return
    line = _open(access, parts, limits)
    try:
        yield line
    except BaseException:
        line.close()
        raise


def _open(access: Access, parts: SplitResult, limits: Limits) -> Line:
    if parts.scheme == "unix":
        return _connected(LimitedSocket(socket.AF_UNIX), parts.path, limits)
    host, port = parts.hostname or "", parts.port or (2376 if access.has_tls else 2375)
    plain = _by_tcp(host, port, limits)
    if not access.has_tls:
        return plain
    try:
        line: Any = _context(access).wrap_socket(
            plain, server_hostname=host, do_handshake_on_connect=False
        )
        line.limits = limits
        line.hurry()
        line.do_handshake()
    except BaseException:
        plain.close()
        raise
    return line  # type: ignore[no-any-return]


def _connected(line: LimitedSocket, address: Any, limits: Limits) -> LimitedSocket:
    line.limits = limits
    try:
        line.hurry()
        line.connect(address)
    except BaseException:
        line.close()
        raise
    return line


def _by_tcp(host: str, port: int, limits: Limits) -> LimitedSocket:
    """By the first address that answers."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in _resolved(host, port, limits):
        try:
            line = LimitedSocket(family, kind, protocol)
            line = _connected(line, address, limits)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return line
        except OSError as error:
            failure = error
    raise failure or OSError(f"{host} has no address")


def _resolved(host: str, port: int, limits: Limits) -> list[Any]:
    """getaddrinfo() knows no time-out: a thread waits for it where it hangs."""
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answer.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answer.get(timeout=limits.next_s())
    except queue.Empty:
        raise socket.gaierror(f"no answer about {host} in time") from None
    if isinstance(found, OSError):
        raise found
    return list(found)


@lru_cache(maxsize=64)
def _context(access: Access) -> ssl.SSLContext:
    """Trusts the row's CA and nobody else, whatever the environment says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = LimitedSSLSocket
    try:
        context.load_verify_locations(cadata=access.tls_ca)
        if access.tls_certificate:
            pems = {"certificate": access.tls_certificate, "key": access.tls_key}
            with private_files(pems) as folder:
                context.load_cert_chain(folder / "certificate", folder / "key")
    except (ssl.SSLError, ValueError) as error:
        raise DialFailed(
            f"the CA, certificate or key of this host cannot be used: {error}"
        ) from None
    return context


@contextmanager
def _by_ssh(access: Access, parts: SplitResult, limits: Limits) -> Iterator[Line]:
    program = shutil.which("ssh")
    if program is None:
        raise DialFailed("there is no ssh where the broker runs: install OpenSSH")
    key = access.ssh_key.replace("\r\n", "\n").strip() + "\n"
    known = "".join(
        f"{HOST_ALIAS} {line.strip()}\n"
        for line in access.ssh_host_key.splitlines()
        if line.strip()
    )
    with private_files({"key": key, "known_hosts": known, "said": ""}) as folder:
        ours, theirs = socket.socketpair()
        with theirs, (folder / "said").open("wb") as said:
            process = subprocess.Popen(  # noqa: S603
                _ssh_command(program, parts, folder, limits),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=said,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
                start_new_session=True,
            )
        # It is reaped when it ends, whoever closes the socket.
        threading.Thread(target=process.wait, daemon=True).start()
        line = LimitedSocket(fileno=ours.detach())
        line.limits = limits
        try:
            yield line
        except BaseException as error:
            line.close()
            process.kill()
            words = (folder / "said").read_text(errors="replace")
            if words.strip() and isinstance(error, (OSError, DialFailed)):
                raise DialFailed(docker_trouble.ssh(words, access)) from None
            raise


def _ssh_command(
    program: str, parts: SplitResult, folder: Path, limits: Limits
) -> list[str]:
    options = {
        **SSH_OPTIONS,
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "IdentityFile": str(folder / "key"),
        "ConnectTimeout": str(max(1, int(limits.next_s()))),
    }
    command = [program, "-F", "/dev/null", "-T"]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    if parts.username:
        command += ["-l", unquote(parts.username)]
    if parts.port:
        command += ["-p", str(parts.port)]
    return [*command, "--", parts.hostname or "", "docker system dial-stdio"]
