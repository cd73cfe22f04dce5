"""An app's connection to memcached, which asks for its user with the first command."""

import socket
from typing import Any

from tests.fakes import Refused


class MemcachedSession:
    """Raise Refused if the server takes the credentials for no user's."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        address = credentials["host"], credentials["port"]
        self._line = socket.create_connection(address, timeout=5)
        self._answers = self._line.makefile("rb")
        login = f"{credentials['username']} {credentials['password']}"
        if self.set("login", login) != "STORED":
            self.close()
            raise Refused("memcached knows no such user")

    def set(self, key: str, value: str) -> str:
        self._line.sendall(f"set {key} 0 60 {len(value)}\r\n{value}\r\n".encode())
        return self._answers.readline().decode().strip()

    def get(self, key: str) -> str | None:
        self._line.sendall(f"get {key}\r\n".encode())
        if self._answers.readline() == b"END\r\n":
            return None
        value = self._answers.readline().decode().rstrip("\r\n")
        assert self._answers.readline() == b"END\r\n"
        return value

    def limit_mb(self) -> int:
        self._line.sendall(b"stats\r\n")
        found = {}
        while (line := self._answers.readline()) != b"END\r\n":
            _, name, value = line.decode().split(maxsplit=2)
            found[name] = value.strip()
        return int(found["limit_maxbytes"]) // 2**20

    def close(self) -> None:
        self._answers.close()
        self._line.close()
