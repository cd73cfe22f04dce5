"""Queries that are compiled once: for the few that nearly every request asks.

The ORM takes several times longer to compile such a query than the database to answer
it. Its own iterators make the rows of the answer, so that they are what any other
query would give.
"""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import ModelIterable

M = TypeVar("M", bound=Model)


class Slot(Expression):
    """Stands in a query for a value that is given whenever it is asked."""

    def __init__(self, name: str, output_field: Field) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """As its own parameter, to be told from the others."""
        return "%s", [self]


class Prepared(Generic[M]):
    """A query with slots. What it is built of is only looked at when it is first asked.

    A compiler belongs to its thread's connection.
    """

    def __init__(self, build: Callable[[], QuerySet[M, Any]]) -> None:
        self._build = build
        self._local = threading.local()

    def rows(self, **values: Any) -> list[M]:
        query = self._query(values)
        # What ModelIterable knows a queryset by.
        queryset: Any = SimpleNamespace(
            db=query.using, query=query, _known_related_objects={}
        )
        return list(ModelIterable(queryset))

    def find(self, **values: Any) -> M | None:
        """The first row, if there is one."""
        return next(iter(self.rows(**values)), None)

    def tuples(self, **values: Any) -> list[tuple[Any, ...]]:
        """For a query of values."""
        query = self._query(values)
        return [tuple(row) for row in query.results_iter(query.execute_sql())]

    def _query(self, values: dict[str, Any]) -> "_Query":
        compiled = getattr(self._local, "compiled", None)
        if compiled is None or compiled.connection is not connections[compiled.using]:
            compiled = self._local.compiled = _Compiled(self._build())
        return _Query(compiled, values)


class _Compiled:
    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self.using = queryset.db
        self.compiler = queryset.query.get_compiler(using=self.using)
        self.connection = self.compiler.connection
        self.sql, self.parameters = self.compiler.as_sql()
        # It would look them up for each answer: the dearest part of many columns.
        converters = self.compiler.get_converters(
            row[0] for row in self.compiler.select
        )
        self.compiler.get_converters = lambda _: converters


class _Query:
    """What Django's iterators ask of a query, and then of its compiler."""

    def __init__(self, compiled: _Compiled, values: dict[str, Any]) -> None:
        self._compiled, self._values = compiled, values
        self.using = compiled.using

    def get_compiler(self, **_: Any) -> "_Query":
        return self

    def execute_sql(self, **_: Any) -> Iterator[list[tuple[Any, ...]]]:
        """In one piece, as results_iter() takes it."""
        with self._compiled.connection.cursor() as cursor:
            cursor.execute(
                self._compiled.sql, [self._filled(p) for p in self._compiled.parameters]
            )
            yield cursor.fetchall()

    def _filled(self, parameter: Any) -> Any:
        if not isinstance(parameter, Slot):
            return parameter
        return parameter.output_field.get_db_prep_value(
            self._values[parameter.name], self._compiled.connection, prepared=False
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled.compiler, name)
