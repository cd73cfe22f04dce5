"""What an app does with its credentials: log in to a real Redis, read and write."""

from typing import Any

import redis

from instances.engines import Endpoint
from tests.fakes import Refused


class RedisSession:
    """One connection, which does not come back once it is lost."""

    def __init__(self, endpoint: Endpoint, username: str, password: str) -> None:
        self.connection = redis.Connection(
            host=endpoint.host,
            port=endpoint.port,
            username=username,
            password=password,
            socket_timeout=10,
            socket_connect_timeout=5,
            decode_responses=True,
            protocol=2,
        )
        try:
            self.connection.connect()
        except (redis.RedisError, OSError) as error:
            raise Refused(error) from error
        self.run("PING")

    def write(self, database: str) -> None:
        self.run("RPUSH", "facts", "1")

    def count(self, database: str) -> int:
        return int(self.run("LLEN", "facts"))

    def wipe(self, database: str) -> None:
        assert self.run("DEL", "facts") == 1

    def run(self, *command: str) -> Any:
        try:
            if self.connection._sock is None:
                raise ConnectionError("the connection has ended")
            self.connection.send_command(*command, check_health=False)
            return self.connection.read_response()
        except (redis.RedisError, OSError) as error:
            raise Refused(error) from error

    def close(self) -> None:
        self.connection.disconnect()
