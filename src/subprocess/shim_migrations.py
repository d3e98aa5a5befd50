"""The history of a plugin's tables, as MINT's SDK declares it, done by the platform: this process has no database."""

import ast
import asyncio
import hashlib
import inspect
import json
import re
import sys
import textwrap

WIDE = 1 << 63
# Beside what a migration says of itself: what code of before cannot go on with.
TAKES_AWAY = re.compile(r"\b(rename_column|alter_column|alter\s+table|drop\s+\w+|truncate)\b", re.IGNORECASE)
ADDS = re.compile(r"\balter\s+table\s+\S+\s+add\s+(?!constraint)", re.IGNORECASE)


class Line:
    """To the platform, on standard input: a length of four bytes, and JSON."""

    def __init__(self):
        import socket

        self.socket = socket.socket(fileno=0)
        self.file = self.socket.makefile("rb")

    def say(self, said):
        data = json.dumps(said).encode()
        self.socket.sendall(len(data).to_bytes(4, "big") + data)

    def hear(self):
        length = int.from_bytes(self.file.read(4), "big")
        data = self.file.read(length)
        if not data:
            sys.exit()
        return json.loads(data)


class Denied(Exception):
    """What the platform or its database did not take, in their words."""


def ask(line, question):
    line.say(question)
    answer = line.hear()
    if "error" in answer:
        raise Denied(answer["error"]["words"], answer["error"]["kind"])
    return answer


def run(line, sql, values):
    # Plugins ask for facts of SQLite by its functions only. They have nothing that is temporary.
    if asked := re.fullmatch(r"\s*PRAGMA (main\.|temp\.)?(\w+)\((['\"]?)(.+)\3\);?\s*", sql, re.IGNORECASE):
        if asked[1] == "temp.":
            return {"columns": [], "rows": [], "changed": 0}
        sql, values = f"select * from pragma_{asked[2].lower()}($1)", [asked[4].replace('""', '"')]
    return ask(line, {"run": {"sql": sql, "parameters": [plain(value) for value in values]}})


class Connection:
    """As much of SQLAlchemy's connection as migrations use: statements go to the platform as text and values."""

    def __init__(self, line, dialect):
        from sqlalchemy.dialects import postgresql, sqlite

        self.line = line
        self.dialect = {"sqlite": sqlite, "postgresql": postgresql}[dialect].dialect(paramstyle="numeric_dollar")

    async def execute(self, statement, parameters=None):
        if isinstance(parameters, (list, tuple)):
            for one in parameters:
                answer = await self.execute(statement, one)
            return answer
        compiled = statement.compile(dialect=self.dialect, compile_kwargs={"render_postcompile": True})
        values = compiled.construct_params(parameters) if hasattr(compiled, "positiontup") else {}
        processors = getattr(compiled, "_bind_processors", {})
        names = getattr(compiled, "positiontup", None) or []
        return self.run(str(compiled), [processors.get(name, lambda value: value)(values[name]) for name in names])

    async def exec_driver_sql(self, sql):
        return self.run(sql, [])

    async def scalar(self, statement, parameters=None):
        return (await self.execute(statement, parameters)).scalar()

    def run(self, sql, values):
        return self.answer(run(self.line, sql, values))

    @staticmethod
    def answer(told):
        from sqlalchemy.engine import IteratorResult
        from sqlalchemy.engine.result import SimpleResultMetaData

        rows = [tuple(known(value) for value in row) for row in told["rows"]]
        result = IteratorResult(SimpleResultMetaData(told["columns"]), iter(rows))
        result.rowcount = told["changed"]
        return result


def plain(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(value).hex()}
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if -WIDE <= value < WIDE else str(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def known(value):
    return bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value


def kind_of(type_):
    """A type of SQLAlchemy's in the platform's words."""
    from sqlalchemy import types

    for kind, classes in (
        ("boolean", types.Boolean),
        ("bigint", types.BigInteger),
        ("integer", types.Integer),
        ("real", types.Float),
        ("decimal", types.Numeric),
        ("timestamp", types.DateTime),
        ("date", types.Date),
        ("json", types.JSON),
        ("blob", types.LargeBinary),
        ("uuid", types.Uuid),
        ("text", types.String),
    ):
        if isinstance(type_, classes):
            return kind
    raise TypeError(f"A column cannot become {type_!r}.")


def operations(sdk, connection, destructive):
    """The SDK's own, but for what SQLite cannot do by a statement."""
    base = sdk.module("migrations.ops").MigrationOps

    class Operations(base):
        async def _sqlite_recreate_table(self, table, *, drop_columns=None, rename_columns=None, alter_types=None):
            for column in drop_columns or ():
                ask(self._conn.line, {"change": {"drop": {"table": table, "column": column}}})
            for old, new in (rename_columns or {}).items():
                ask(self._conn.line, {"change": {"rename": {"table": table, "from": old, "to": new}}})
            for column, type_ in (alter_types or {}).items():
                ask(self._conn.line, {"change": {"alter": {"table": table, "column": column, "kind": kind_of(type_)}}})

    dialect, options = connection.dialect.name, {}
    if dialect == "postgresql" and "schema" in inspect.signature(base.__init__).parameters:
        options["schema"] = connection.run("select current_schema()", []).scalar()
    return Operations(connection, dialect=dialect, destructive_allowed=destructive, **options)


def checksum(migration):
    try:
        return checksum_of(textwrap.dedent(inspect.getsource(type(migration))))
    except OSError:
        return hashlib.sha256(repr(sorted(vars(type(migration)))).encode()).hexdigest()


def checksum_of(source):
    """Of the code alone: how it is written, and what is said about it, does not matter."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, described) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def takes_away(migration):
    try:
        source = inspect.getsource(type(migration).upgrade)
    except OSError:
        source = ""
    return bool(migration.destructive) or bool(TAKES_AWAY.search(ADDS.sub("", source)))


class Numbered:
    """Classes with a number each, as all SDKs have them."""

    def __init__(self, sdk, package):
        self.sdk = sdk
        found = sdk.module("migrations.runner").MigrationRunner.discover(package)
        self.migrations = {migration.version: migration for migration in found}

    def told(self):
        for one in self.migrations.values():
            yield {"version": one.version, "name": one.name, "destructive": takes_away(one), "checksum": checksum(one)}

    def step(self, line, asked):
        asyncio.run(self.run(Connection(line, asked["dialect"]), self.migrations[asked["version"]], asked["up"]))

    async def run(self, connection, migration, up):
        op = operations(self.sdk, connection, migration.destructive or not up)
        if up:
            await migration.upgrade(op)
        elif migration.has_downgrade:
            await migration.downgrade(op)
        else:
            raise Denied("it has no way back (`downgrade`).")


def history_of(sdk, plugin):
    package = plugin.get_migrations_package() if hasattr(plugin, "get_migrations_package") else None
    spec = plugin.get_migration_spec() if hasattr(plugin, "get_migration_spec") else None
    if package is not None and spec is not None:
        sys.exit("The plugin declares its migrations twice: `get_migrations_package` and `get_migration_spec`.")
    if spec is not None:
        return Revisions(sdk, spec, str(plugin.metadata.name))
    return None if package is None else Numbered(sdk, package)


def migrate():
    line = Line()
    cls = plugin_class()
    sdk = Sdk(cls)
    history = None if sdk.is_ours else history_of(sdk, cls())
    line.say({"history": None if history is None else list(history.told())})
    while True:
        asked = line.hear()
        try:
            done = {"looked": history.look(line, asked)} if "look" in asked else history.step(line, asked) or "done"
        except Exception as error:
            # SQLAlchemy wraps what a driver says into what it had asked.
            line.say({"failed": words(getattr(error, "orig", None) or error)})
        else:
            line.say(done)
