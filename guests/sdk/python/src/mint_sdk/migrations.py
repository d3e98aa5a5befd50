"""The history of a plugin's tables: classes in modules of the package that `get_migrations_package()` names.

    class Initial(PluginMigration):
        version = 1
        name = "samples"

        async def upgrade(self, op):
            await op.create_table("samples", Column.id("id"), Column("name", "text", nullable=False, unique=True))

        async def downgrade(self, op):
            await op.drop_table("samples")

What was released must not change, apart from comments, documentation and space.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import pkgutil
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from .database import Row, Value
from .exceptions import ConfigurationException

type Kind = Literal[
    "integer", "bigint", "real", "decimal", "text", "boolean", "timestamp", "date", "json", "uuid", "blob"
]

NOW = object()
"""The moment of the insert, as the default of a timestamp."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `references` is `(table, column)`; its rows go with those that they refer to where `on_delete` is `cascade`."""

    name: str
    kind: Kind
    nullable: bool = True
    default: Any = None
    unique: bool = False
    primary_key: bool = False
    counted: bool = False
    references: tuple[str, str] | None = None
    on_delete: Literal["refuse", "cascade", "set_null"] = "refuse"

    @classmethod
    def id(cls, name: str) -> Column:
        """The primary key of a table, counted up by the database."""
        return cls(name, "bigint", nullable=False, primary_key=True, counted=True)


class MigrationOps(Protocol):
    """What a migration does. What is there already is left alone: such calls give False."""

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """Which SQL `query` and `execute` take."""

    async def create_table(self, table: str, *columns: Column) -> bool: ...

    async def add_column(self, table: str, column: Column) -> bool: ...

    async def create_index(self, name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> bool: ...

    async def backfill(self, table: str, column: str, default: Value) -> bool:
        """Writes a value where there is none."""

    async def rename_column(self, table: str, old: str, new: str) -> bool:
        """Destructive."""

    async def alter_column(self, table: str, column: str, type_: Kind | None = None, *, nullable: bool | None = None) -> bool:
        """Destructive; None leaves it."""

    async def drop_column(self, table: str, column: str) -> bool:
        """Destructive."""

    async def drop_table(self, table: str) -> bool:
        """Destructive."""

    async def drop_index(self, name: str) -> bool:
        """Destructive."""

    async def query(self, sql: str, *parameters: Value) -> list[Row]: ...

    async def execute(self, sql: str, *parameters: Value) -> int: ...


class PluginMigration(ABC):
    """One step of the history. `destructive` is one after which code of before cannot work: it waits until none runs."""

    version: ClassVar[int]
    name: ClassVar[str]
    destructive: ClassVar[bool] = False

    @abstractmethod
    async def upgrade(self, op: MigrationOps) -> None:
        """Applies it."""

    async def downgrade(self, op: MigrationOps) -> None:
        """Takes it back."""
        raise ConfigurationException("Its author wrote nothing that takes it back.")


@dataclass(frozen=True, slots=True)
class Declared:
    """A migration, and what is known of its source."""

    migration: PluginMigration
    checksum: str


def discover(package: str) -> list[Declared]:
    """The migrations of a package, by their versions."""
    module = importlib.import_module(package)
    for found in pkgutil.iter_modules(module.__path__, f"{package}."):
        importlib.import_module(found.name)
    classes = [one for one in _subclasses(PluginMigration) if one.__module__.startswith(f"{package}.")]
    known = [one for one in classes if isinstance(getattr(one, "version", None), int)]
    return sorted((Declared(one(), checksum(one)) for one in known), key=lambda declared: declared.migration.version)


def checksum(migration: type[PluginMigration]) -> str:
    """Of the code alone: how it is written, and what is said about it, does not matter."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(migration)))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _subclasses(cls: type[PluginMigration]) -> list[type[PluginMigration]]:
    return [found for direct in cls.__subclasses__() for found in (direct, *_subclasses(direct))]
