"""The history of a plugin's tables as revisions of Alembic, which MINT's SDK would run by a connection of its own: here each is a
migration of the platform's, by statements of the platform's."""

# Beside what a revision says of itself and what takes away in any migration: tables that code of before does not know, or whose
# rows it may not write any more.
ALTERS = re.compile(r"\b(rename_table|drop_\w+|create_(?:foreign_key|primary_key|\w+_constraint))\b")
NOT_ENDED_HERE = "a revision neither commits nor rolls back: it is all or nothing."


class Revisions:
    """The one line of them in a package, numbered from 1."""

    def __init__(self, sdk, spec):
        if missing := [package for package in ("sqlalchemy", "alembic") if find_spec(package) is None]:
            sys.exit(lacks(missing))
        self.guard(sdk)
        place = find_spec(spec.package)
        places = list(place.submodule_search_locations or ()) if place else []
        if len(places) != 1:
            sys.exit(f"`{spec.package}` is not a package with one directory of revisions.")
        self.revisions = self.line(places[0])

    @staticmethod
    def guard(sdk):
        """MINT's own: a revision that does not call itself destructive drops nothing."""
        if sdk.has("migrations._alembic_runtime"):
            sdk.module("migrations._alembic_runtime")

    @staticmethod
    def line(directory):
        from alembic.script import ScriptDirectory

        scripts = ScriptDirectory(directory, version_locations=[directory])
        revisions = list(reversed(list(scripts.walk_revisions())))
        before = [None, *(one.revision for one in revisions)]
        if any(one.dependencies or one.down_revision != last for one, last in zip(revisions, before)):
            sys.exit("The revisions of the plugin's tables are not one line, in which each follows the one before.")
        return revisions

    def told(self):
        for version, one in enumerate(self.revisions, 1):
            source = inspect.getsource(one.module.upgrade)
            takes = is_destructive(one) or bool(ALTERS.search(source)) or bool(TAKES_AWAY.search(ADDS.sub("", source)))
            yield {"version": version, "name": one.revision, "destructive": takes, "checksum": self.checksum(one)}

    @staticmethod
    def checksum(revision):
        """With the files that it names, which it uses."""
        with open(revision.path, encoding="utf-8") as file:
            total = checksum_of(file.read())
        directory = os.path.realpath(os.path.dirname(revision.path))
        for name in sorted(getattr(revision.module, "checksum_files", ())):
            path = os.path.realpath(os.path.join(directory, name))
            if os.path.commonpath([directory, path]) != directory:
                sys.exit(f"`{name}` is not beside the revision that names it.")
            with open(path, "rb") as file:
                total = hashlib.sha256(total.encode() + name.encode() + file.read()).hexdigest()
        return total

    def step(self, line, asked):
        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        revision, up = self.revisions[asked["version"] - 1], asked["up"]
        driver = Driver(line)
        with engine_by(driver, asked["dialect"]).connect() as connection:
            schema = connection.dialect.schema_of_plugin
            options = {
                "mint_managed": True,
                "mint_destructive": is_destructive(revision) or not up,
                "version_table_schema": schema,
                "render_as_batch": schema is None,
            }
            with Operations.context(MigrationContext.configure(connection, opts=options)):
                driver.is_at_work = True
                try:
                    (revision.module.upgrade if up else revision.module.downgrade)(schema=schema)
                finally:
                    driver.is_at_work = False


def is_destructive(revision):
    return getattr(revision.module, "destructive", False) is True


class Driver:
    """As much of a database driver (PEP 249) as SQLAlchemy takes. The transaction is the platform's."""

    apilevel, threadsafety = "2.0", 0
    Error = DatabaseError = IntegrityError = InterfaceError = OperationalError = ProgrammingError = Denied
    DataError = InternalError = NotSupportedError = Denied

    def __init__(self, line):
        self.platform, self.is_at_work = line, False

    def told(self, sql):
        return run(self.platform, sql, [])["rows"][0][0]

    def cursor(self):
        return Cursor(self.platform)

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

    def __init__(self, line):
        self.line, self.description, self.rowcount, self.rows = line, None, -1, iter(())

    def execute(self, sql, parameters=()):
        # So SQLAlchemy asks SQLite for what a table is made of; the platform knows parameters by their numbers.
        if parameters and "$1" not in sql and sql.count("?") == len(parameters):
            numbers = iter(range(1, len(parameters) + 1))
            sql = re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
        told = run(self.line, sql, list(parameters))
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


def with_casts():
    """Types whose values say in a statement what they are: the platform's come as texts, mostly."""
    from sqlalchemy import types

    kinds = (
        types.BigInteger, types.Boolean, types.Date, types.DateTime, types.Float, types.Integer, types.LargeBinary,
        types.Numeric, types.SmallInteger, types.String, types.Time,
    )
    return {kind: type(kind.__name__, (kind,), {"render_bind_cast": True}) for kind in kinds}


def engine_by(driver, name):
    """An engine of SQLAlchemy's on the platform. Which server it is, is asked in words that plugins may use."""
    from sqlalchemy import URL, Engine
    from sqlalchemy.dialects.postgresql.base import PGDialect
    from sqlalchemy.dialects.sqlite.base import SQLiteDialect
    from sqlalchemy.pool import NullPool

    if name == "sqlite":
        driver.sqlite_version_info = tuple(int(part) for part in driver.told("select sqlite_version()").split("."))
        dialect = SQLiteDialect(dbapi=driver, paramstyle="numeric_dollar")
        dialect.server_version_info, dialect.schema_of_plugin = driver.sqlite_version_info, None
        dialect.default_schema_name = "main"
    else:
        dialect = PGDialect(dbapi=driver, paramstyle="numeric_dollar")
        dialect.colspecs = PGDialect.colspecs | with_casts()
        dialect.server_version_info = (int(driver.told("select current_setting('server_version_num')")) // 10_000,)
        dialect.schema_of_plugin = dialect.default_schema_name = driver.told("select current_schema()")
    pool = NullPool(lambda: driver, dialect=dialect, reset_on_return=None)
    return Engine(pool, dialect, URL.create(name))
