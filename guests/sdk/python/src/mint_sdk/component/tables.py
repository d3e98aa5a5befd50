"""`mint:platform/database`: the tables of a component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..database import Row, Value
from ..exceptions import ValidationException
from . import bindings
from .bindings import granted, refusals

_WIDE = 1 << 63


def database() -> Any:
    """The interface, where it was granted."""
    return granted(bindings.database, "database")


def given(value: Value) -> Any:
    """A value for the platform."""
    interface = database()
    match value:
        case None:
            return interface.Value_Null()
        case bool():
            return interface.Value_Boolean(value)
        case int() if -_WIDE <= value < _WIDE:
            return interface.Value_Integer(value)
        case float():
            return interface.Value_Real(value)
        case str():
            return interface.Value_Text(value)
        case bytes() | bytearray() | memoryview():
            return interface.Value_Blob(bytes(value))
        case _:
            raise ValidationException(f"{value!r} is no value for a table: give None, a bool, int, float, str or bytes.")


def rows(found: Any) -> list[Row]:
    """What a query found."""
    return [dict(zip(found.columns, (getattr(field, "value", None) for field in row), strict=True)) for row in found.rows]


class ComponentTables:
    """Statements that take effect by themselves."""

    def query(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        with refusals:
            return rows(database().query(sql, [given(value) for value in parameters]))

    def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        with refusals:
            return database().execute(sql, [given(value) for value in parameters])

    def begin(self) -> ComponentTransaction:
        with refusals:
            return ComponentTransaction(database().begin())


class ComponentTransaction:
    """Statements that take effect together."""

    def __init__(self, begun: Any) -> None:
        self._begun = begun

    def query(self, sql: str, parameters: Sequence[Value]) -> list[Row]:
        with refusals:
            return rows(self._begun.query(sql, [given(value) for value in parameters]))

    def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        with refusals:
            return self._begun.execute(sql, [given(value) for value in parameters])

    def commit(self) -> None:
        begun, self._begun = self._begun, None
        with refusals:
            database().Transaction.commit(begun)

    def drop(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.__exit__(None, None, None)
