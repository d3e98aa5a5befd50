"""`mint:plugin/migrations`: the history of a component's tables, read while it is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from componentize_py_types import Err

from .. import service
from ..database import Row, Value
from ..migrations import NOW, Column, Declared, Kind, discover
from ..plugin import AnalysisPlugin
from . import bindings, handles
from .bindings import refusals
from .instance import Instance
from .tables import given, rows

try:
    from wit_world.exports import mint_plugin_migrations_1_0_0 as exports
except ImportError:
    exports = None


class MigrationExports:
    """The history of the plugin's tables."""

    def __init__(self, instance: Instance, history: list[Declared]) -> None:
        self._instance = instance
        self._history = {declared.migration.version: declared for declared in history}

    def list(self) -> Any:
        return [
            exports.Migration(version, declared.migration.name, declared.migration.destructive, declared.checksum)
            for version, declared in self._history.items()
        ]

    def upgrade(self, version: int, ops: Any) -> None:
        self._run(version, "upgrade", ops)

    def downgrade(self, version: int, ops: Any) -> None:
        self._run(version, "downgrade", ops)

    def _run(self, version: int, way: str, ops: Any) -> None:
        handles.withdraw()
        try:
            migration = self._history[version].migration
            self._instance.run(getattr(migration, way)(ComponentOps(ops)))
        except Exception as error:
            raise Err(service.reason(error)) from None


def history_of(plugin_class: type[AnalysisPlugin]) -> list[Declared]:
    """What the class declares; its instances are made later, with a platform."""
    package = plugin_class.get_migrations_package(object.__new__(plugin_class))
    return [] if package is None else discover(package)


class ComponentOps:
    """`MigrationOps` over the resource that the platform lends."""

    def __init__(self, ops: Any) -> None:
        self._ops = ops

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        return "sqlite" if self._ops.dialect() == bindings.migration_ops.Dialect.SQLITE else "postgresql"

    async def create_table(self, table: str, *columns: Column) -> bool:
        with refusals:
            return self._ops.create_table(table, [_column(column) for column in columns])

    async def add_column(self, table: str, column: Column) -> bool:
        with refusals:
            return self._ops.add_column(table, _column(column))

    async def create_index(self, name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> bool:
        with refusals:
            return self._ops.create_index(name, table, [*columns], unique)

    async def backfill(self, table: str, column: str, default: Value) -> bool:
        with refusals:
            return self._ops.backfill(table, column, given(default))

    async def rename_column(self, table: str, old: str, new: str) -> bool:
        with refusals:
            return self._ops.rename_column(table, old, new)

    async def alter_column(self, table: str, column: str, type_: Kind | None = None, *, nullable: bool | None = None) -> bool:
        with refusals:
            return self._ops.alter_column(table, column, None if type_ is None else _kind(type_), nullable)

    async def drop_column(self, table: str, column: str) -> bool:
        with refusals:
            return self._ops.drop_column(table, column)

    async def drop_table(self, table: str) -> bool:
        with refusals:
            return self._ops.drop_table(table)

    async def drop_index(self, name: str) -> bool:
        with refusals:
            return self._ops.drop_index(name)

    async def query(self, sql: str, *parameters: Value) -> list[Row]:
        with refusals:
            return rows(self._ops.query(sql, [given(value) for value in parameters]))

    async def execute(self, sql: str, *parameters: Value) -> int:
        with refusals:
            return self._ops.execute(sql, [given(value) for value in parameters])


def _kind(kind: Kind) -> Any:
    return bindings.migration_ops.ColumnType[kind.upper()]


def _column(column: Column) -> Any:
    ops = bindings.migration_ops
    default = None
    if column.default is NOW:
        default = ops.DefaultValue_Now()
    elif column.default is not None:
        default = ops.DefaultValue_Literal(given(column.default))
    reference = None
    if column.references is not None:
        reference = ops.Reference(*column.references, ops.OnDelete[column.on_delete.upper()])
    return ops.Column(
        column.name,
        _kind(column.kind),
        column.nullable and not column.primary_key,
        default,
        column.unique,
        column.primary_key,
        column.counted,
        reference,
    )
