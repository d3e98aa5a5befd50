"""Tables of the plugin's own. Needs `database`; in a component only: a process opens them by the driver that it brings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

type Value = None | bool | int | float | str | bytes
"""A parameter, or a field of a row."""

type Row = dict[str, Value]
"""Fields by the names of their columns."""


class Statements(Protocol):
    """What runs statements, one at a time, with `$1`, `$2` … for their parameters."""

    def query(self, sql: str, parameters: Sequence[Value]) -> list[Row]: ...

    def execute(self, sql: str, parameters: Sequence[Value]) -> int: ...


class OpenTransaction(Statements, Protocol):
    """Statements that take effect together."""

    def commit(self) -> None: ...

    def drop(self) -> None:
        """Takes them back, if they were not committed."""


class Tables(Statements, Protocol):
    """The tables, as the platform gives them."""

    def begin(self) -> OpenTransaction: ...


class Database:
    """The tables; each statement takes effect by itself."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def query(self, sql: str, *parameters: Value) -> list[Row]:
        """The rows that a statement finds, all of them."""
        return self._tables.query(sql, parameters)

    async def execute(self, sql: str, *parameters: Value) -> int:
        """The number of rows that a statement changed."""
        return self._tables.execute(sql, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """`async with database.transaction() as transaction:` commits at its end, and an exception takes all of it back."""
        begun = self._tables.begin()
        try:
            yield Transaction(begun)
        except BaseException:
            begun.drop()
            raise
        begun.commit()


class Transaction:
    """Statements that take effect together. After one that failed, nothing else can be done."""

    def __init__(self, begun: OpenTransaction) -> None:
        self._begun = begun

    async def query(self, sql: str, *parameters: Value) -> list[Row]:
        """As `Database.query`, inside the transaction."""
        return self._begun.query(sql, parameters)

    async def execute(self, sql: str, *parameters: Value) -> int:
        """As `Database.execute`, inside the transaction."""
        return self._begun.execute(sql, parameters)
