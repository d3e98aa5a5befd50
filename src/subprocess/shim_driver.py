"""A driver for SQLAlchemy whose statements go to the platform, and whose transaction is the platform's."""

import datetime
import decimal
import json
import re
from contextlib import contextmanager

NOT_ENDED_HERE = "a revision neither commits nor rolls back: it is all or nothing."
POINT = re.compile(
    r"\s*(?:(?P<back>rollback(?:\s+(?:transaction|work))?\s+to)|(?P<release>release)|(?P<set>savepoint))"
    r"(?:\s+savepoint)?\s+\"?(?P<name>\w+)\"?\s*;?\s*",
    re.IGNORECASE,
)
# Where MINT notes the migrations of plugins, on PostgreSQL and on SQLite.
NOTE, NOTE_OF_FILE = "plugin_schema_migrations", "_plugin_migrations"


class IntegrityError(Denied):
    pass


class OperationalError(Denied):
    pass


class ProgrammingError(Denied):
    pass


class Driver:
    """As much of a database driver (PEP 249) as SQLAlchemy takes. The transaction is the platform's. `notes` are what MINT would
    have noted of migrations before, where the plugin may look for it."""

    apilevel, threadsafety = "2.0", 0
    Error = DatabaseError = InterfaceError = DataError = InternalError = NotSupportedError = Denied
    IntegrityError, OperationalError, ProgrammingError = IntegrityError, OperationalError, ProgrammingError

    def __init__(self, line, notes=()):
        self.platform, self.notes, self.is_at_work, self.schema = line, notes, False, None

    def told(self, sql):
        return run(self.platform, sql, [])["rows"][0][0]

    def cursor(self):
        return Cursor(self)

    def run(self, sql, parameters):
        if point := POINT.fullmatch(sql):
            wanted = "set" if point["set"] else "release" if point["release"] else "go-back"
            return ask(self.platform, {"savepoint": {wanted: point["name"]}})
        if self.notes:
            sql, parameters = self.with_notes(sql, parameters)
        try:
            return run(self.platform, sql, parameters)
        except Denied as error:
            # By these names SQLAlchemy knows what kind it is; both databases call the last one something else.
            other = OperationalError if self.schema is None else ProgrammingError
            raise (IntegrityError if error.args[1:] == ("constraint",) else other)(error.args[0]) from None

    def with_notes(self, sql, parameters):
        name = NOTE_OF_FILE if self.schema is None else NOTE
        if NOTE in parameters:
            return sql, [self.schema if value == "public" else value for value in parameters]
        if name not in sql:
            return sql, parameters
        if not sql.lstrip().lower().startswith("select"):
            return sql.replace(NOTE_OF_FILE, NOTE), parameters
        rows = ", ".join(f"({', '.join(map(literal, note.values()))})" for note in self.notes)
        sql = re.sub(rf'\bpublic\."?{NOTE}\b"?', NOTE, sql)
        return f"with {name} ({', '.join(self.notes[0])}) as (values {rows}) {sql}", parameters

    def commit(self):
        raise Denied(NOT_ENDED_HERE)

    def rollback(self):
        # SQLAlchemy does so to what it closes.
        if self.is_at_work:
            raise Denied(NOT_ENDED_HERE)

    def close(self):
        pass


class Cursor:
    """The answer to a statement."""

    arraysize, lastrowid = 1, None

    def __init__(self, driver):
        self.driver, self.description, self.rowcount, self.rows = driver, None, -1, iter(())

    def execute(self, sql, parameters=()):
        # So SQLAlchemy asks SQLite for what a table is made of; the platform knows parameters by their numbers.
        if parameters and "$1" not in sql and sql.count("?") == len(parameters):
            numbers = iter(range(1, len(parameters) + 1))
            sql = re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
        told = self.driver.run(sql, list(parameters))
        self.description = [(name, *[None] * 6) for name in told["columns"]] or None
        self.rows, self.rowcount = (tuple(known(value) for value in row) for row in told["rows"]), told["changed"]

    def executemany(self, sql, many):
        total = 0
        for parameters in many:
            self.execute(sql, parameters)
            total += self.rowcount
        self.rowcount = total

    def fetchone(self):
        return next(self.rows, None)

    def fetchmany(self, size=1):
        return [row for _, row in zip(range(size), self.rows)]

    def fetchall(self):
        return list(self.rows)

    def close(self):
        self.rows = iter(())


def literal(value):
    if value is None:
        return "cast(null as text)"
    return str(value).lower() if isinstance(value, (bool, int)) else "'" + str(value).replace("'", "''") + "'"


def reading(read):
    """A type's way from what the platform says to what its users know."""
    return lambda self, dialect, kind: lambda value: read(value) if isinstance(value, (str, int, float)) else value


def own_types():
    """Types whose values say in a statement what they are, and are read from the platform's texts."""
    from sqlalchemy import types
    from sqlalchemy.dialects.postgresql import ARRAY

    moment = reading(lambda text: datetime.datetime.fromisoformat(text))
    read = {
        types.BigInteger: None,
        types.Boolean: None,
        types.Date: reading(datetime.date.fromisoformat),
        types.DateTime: moment,
        types.Float: None,
        types.Integer: None,
        types.LargeBinary: None,
        types.Numeric: reading(lambda value: decimal.Decimal(str(value))),
        types.SmallInteger: None,
        types.String: None,
        types.Time: reading(datetime.time.fromisoformat),
    }
    kinds = {
        kind: type(kind.__name__, (kind,), {"render_bind_cast": True} | ({"result_processor": way} if way else {}))
        for kind, way in read.items()
    }
    return kinds | {types.ARRAY: type("ARRAY", (ARRAY,), {"result_processor": reading(json.loads)})}


@contextmanager
def at_work(driver, name):
    """A connection of SQLAlchemy's on the platform, and the schema of the plugin where there are such. Which server it is, is asked
    in words that plugins may use."""
    from sqlalchemy import URL, Engine
    from sqlalchemy.dialects.postgresql.base import PGDialect
    from sqlalchemy.dialects.sqlite.base import SQLiteDialect
    from sqlalchemy.pool import NullPool

    if name == "sqlite":
        driver.sqlite_version_info = tuple(int(part) for part in driver.told("select sqlite_version()").split("."))
        dialect = SQLiteDialect(dbapi=driver, paramstyle="numeric_dollar")
        dialect.server_version_info = driver.sqlite_version_info
        dialect.default_schema_name = "main"
    else:
        dialect = PGDialect(dbapi=driver, paramstyle="numeric_dollar")
        dialect.colspecs = PGDialect.colspecs | own_types()
        dialect.server_version_info = (int(driver.told("select current_setting('server_version_num')")) // 10_000,)
        driver.schema = dialect.default_schema_name = driver.told("select current_schema()")
    pool = NullPool(lambda: driver, dialect=dialect, reset_on_return=None)
    with Engine(pool, dialect, URL.create(name)).connect() as connection:
        driver.is_at_work = True
        try:
            yield connection, driver.schema
        finally:
            driver.is_at_work = False
