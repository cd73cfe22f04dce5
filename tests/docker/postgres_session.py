"""What an app does with its credentials: log in to a real PostgreSQL and use it."""

from typing import Any

import psycopg

from instances.engines import Endpoint
from tests.fakes import Refused


class PostgresSession:
    def __init__(
        self, endpoint: Endpoint, username: str, password: str, database: str
    ) -> None:
        self.database = database
        try:
            self.connection = psycopg.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=username,
                password=password,
                dbname=database,
                autocommit=True,
                connect_timeout=5,
            )
        except psycopg.Error as error:
            raise Refused(error) from error

    def write(self, database: str) -> None:
        self._refuse_other(database)
        self.run("CREATE TABLE IF NOT EXISTS facts (id serial PRIMARY KEY)")
        self.run("INSERT INTO facts DEFAULT VALUES")

    def count(self, database: str) -> int:
        self._refuse_other(database)
        return int(self.run("SELECT count(*) FROM facts")[0][0])

    def wipe(self, database: str) -> None:
        self._refuse_other(database)
        self.run("DROP TABLE facts")

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            cursor = self.connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise Refused(error) from error

    def close(self) -> None:
        self.connection.close()

    def _refuse_other(self, database: str) -> None:
        """A session is in one database; another one takes another login."""
        if database != self.database:
            self.run(f"SELECT * FROM {database}.public.facts")
            raise AssertionError("it reads another database")
