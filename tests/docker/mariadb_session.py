"""What an app does with its credentials: log in to a real MariaDB, read and write."""

from typing import Any

import pymysql

from instances.engines import Endpoint
from tests.fakes import Refused


class MariaDBSession:
    def __init__(self, endpoint: Endpoint, username: str, password: str) -> None:
        try:
            self.connection = pymysql.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=username,
                password=password,
                autocommit=True,
                ssl_disabled=True,
            )
        except (pymysql.MySQLError, OSError) as error:
            raise Refused(error) from error

    def write(self, database: str) -> None:
        self.run(f"CREATE TABLE IF NOT EXISTS {database}.facts (n INT)")
        self.run(f"INSERT INTO {database}.facts VALUES (1)")

    def count(self, database: str) -> int:
        return int(self.run(f"SELECT COUNT(*) FROM {database}.facts")[0][0])

    def wipe(self, database: str) -> None:
        self.run(f"DROP TABLE {database}.facts")

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())
        except (pymysql.MySQLError, OSError) as error:
            raise Refused(error) from error

    def close(self) -> None:
        if self.connection.open:
            self.connection.close()
