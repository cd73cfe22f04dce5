"""What keeps a Docker Engine from answering, as a sentence with its cure."""

import errno
import http.client
import socket
import ssl
from urllib.parse import urlsplit

from instances.containers.access import Access

_UNKNOWN_SIGNER = (2, 18, 19, 20, 21)
_WRONG_NAME = (62, 63, 64)
_NOT_YET_VALID, _EXPIRED = 9, 10
_REFUSED_BY_SERVER = (
    "alert certificate required",
    "alert unknown ca",
    "alert bad certificate",
    "alert certificate expired",
    "alert certificate unknown",
    "alert unsupported certificate",
    "alert access denied",
    "handshake failure",
    "eof occurred",
)


def explain(error: BaseException, access: Access) -> str:
    """The sentence for the cause at the bottom of the error."""
    cause = _root(error)
    place = urlsplit(access.url).netloc or urlsplit(access.url).path
    if isinstance(cause, ssl.SSLError):
        return _tls(cause, place)
    if isinstance(cause, socket.gaierror):
        return (
            f"the name in {place} cannot be resolved: correct the URL, or the DNS of "
            "the machine that the broker runs on"
        )
    if isinstance(cause, TimeoutError):
        return (
            f"no answer from {place} in time: see that the machine is up, that no "
            "firewall drops what is sent to that port, and that dockerd is not stuck"
        )
    if isinstance(cause, http.client.HTTPException) and not isinstance(
        cause, ConnectionError
    ):
        return not_docker(access, f"{type(cause).__name__}: {cause}".rstrip(": "))
    if access.has_tls and isinstance(cause, (ConnectionResetError, BrokenPipeError)):
        return (
            f"{place} ends the connection after the handshake: it refuses the client "
            "certificate, if it is not being restarted. Have it signed by the CA that "
            "dockerd trusts (--tlscacert)"
        )
    return _system(cause, place)


def not_docker(access: Access, said: str) -> str:
    return (
        f"what answers is no Docker Engine ({said[:200]}): correct the URL; a port "
        "with TLS, usually 2376, needs the certificates, one without must not have them"
    )


def ssh(said: str, access: Access) -> str:
    """ssh's own words, and what to do about them."""
    place = urlsplit(access.url).netloc
    cures = {
        "Host key verification failed": "the host key in the row is not that of the "
        "machine that answers: compare with ssh-keyscan, and with its operator",
        "Permission denied": "the machine refuses the user or the key: add the public "
        "key to that user's authorized_keys",
        "Could not resolve hostname": f"the name in {place} cannot be resolved: "
        "correct the URL",
        "Connection refused": f"no sshd listens at {place}: correct the port",
        "timed out": f"no answer from {place} in time: is the machine up, does a "
        "firewall drop the port",
        "permission denied while trying to connect": "the user on that machine may not "
        "use Docker: add it to the group docker there",
        "not found": "there is no docker command on that machine: install Docker's CLI",
        "invalid format": "the private key in the row cannot be read by ssh",
    }
    text = next((cure for word, cure in cures.items() if word in said), "")
    return f"ssh: {said.strip()[-300:] or 'ended without a word'}" + (
        f". {text[0].upper()}{text[1:]}" if text else ""
    )


def _tls(error: ssl.SSLError, place: str) -> str:
    code = getattr(error, "verify_code", None)
    words = str(error).lower()
    if code in _UNKNOWN_SIGNER:
        return (
            f"the certificate of {place} is not signed by the CA of this host: give "
            "the CA that signed the certificate of dockerd (--tlscacert)"
        )
    if code in _WRONG_NAME:
        return (
            f"the certificate of {place} is for another name: use a name or address "
            "that is among its subject alternative names, or make a new one"
        )
    if code in (_EXPIRED, _NOT_YET_VALID):
        when = "has expired" if code == _EXPIRED else "is not valid yet"
        return f"the certificate of {place} {when}: renew it, or correct the clock"
    if code is not None:
        return f"the certificate of {place} is not valid: {error}"
    if any(alert in words for alert in _REFUSED_BY_SERVER):
        return (
            f"{place} refuses the client certificate ({error.reason}): have it signed "
            "by the CA that dockerd trusts (--tlscacert)"
        )
    if "wrong version number" in words or "record layer failure" in words:
        return (
            f"{place} does not speak TLS: correct the port (2376 is usual), or start "
            "dockerd with --tlsverify"
        )
    return f"TLS with {place} fails: {error}"


def _system(error: BaseException, place: str) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, ConnectionRefusedError):
        return (
            f"nothing listens at {place}: start Docker there, or correct the port "
            "(2376 with TLS is usual)"
        )
    if isinstance(error, FileNotFoundError):
        return f"there is no socket {place}: start Docker, or correct the path"
    if isinstance(error, PermissionError):
        return (
            f"the broker's user may not use {place}: add it to the group docker, and "
            "start the broker again"
        )
    if number in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"there is no route to {place}: correct the URL, or the network"
    if isinstance(error, ConnectionError):
        return f"{place} has ended the connection: is dockerd being restarted? {error}"
    return f"{type(error).__name__}: {error}"


def _root(error: BaseException) -> BaseException:
    """requests wraps urllib3, which wraps what has happened."""
    seen = error
    for _ in range(8):
        nested = [arg for arg in seen.args if isinstance(arg, BaseException)]
        below = getattr(seen, "reason", None)
        if isinstance(below, BaseException):
            nested.append(below)
        following = nested[0] if nested else (seen.__cause__ or seen.__context__)
        if following is None or _is_telling(seen):
            break
        seen = following
    return seen


def _is_telling(error: BaseException) -> bool:
    return (
        isinstance(error, (ssl.SSLError, socket.gaierror, TimeoutError))
        or (isinstance(error, OSError) and error.errno is not None)
        or isinstance(error, http.client.HTTPException)
    )
