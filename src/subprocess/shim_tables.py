"""The tables of a plugin, for plugins whose SDK promises a session of SQLAlchemy's and has none in a process of its own."""

import os
import re
import sys
from contextlib import asynccontextmanager
from importlib.util import find_spec
from urllib.parse import parse_qs, unquote, urlsplit

NOT_GRANTED = "The plugin was not granted the capability `database`. Grant it, and reload the plugin."


class Tables:
    """Where the platform says that they are. Nothing is connected before a session is wanted."""

    LOCK_SECONDS = 30
    CONNECTIONS_MAX = 4

    def __init__(self, url, bytes_max, name):
        self.url, self.bytes_max = urlsplit(url), bytes_max
        self.in_file = self.url.scheme == "sqlite"
        # MINT gives each plugin a schema of this name; here the tables stand where an unqualified name leads.
        self.schema = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        self.opened = None

    def missing(self):
        """Packages that a session takes and the plugin's environment has not."""
        wanted = ("sqlalchemy", "greenlet", "aiosqlite" if self.in_file else "asyncpg")
        return [package for package in wanted if find_spec(package) is None]

    def engine(self):
        if self.opened is None:
            from sqlalchemy.ext.asyncio import create_async_engine

            missing = self.missing()
            if missing:
                raise ModuleNotFoundError(lacks(missing))
            url, options = self.of_file() if self.in_file else self.of_server()
            translation = {"schema_translate_map": {self.schema: None}}
            self.opened = create_async_engine(url, execution_options=translation, **options)
            if self.in_file:
                from sqlalchemy import event

                event.listen(self.opened.sync_engine, "connect", self.prepare)
        return self.opened

    def of_file(self):
        from sqlalchemy import URL
        from sqlalchemy.pool import NullPool

        # An open connection keeps the platform out, which makes copies of the file.
        options = {"poolclass": NullPool, "connect_args": {"timeout": self.LOCK_SECONDS}}
        return URL.create("sqlite+aiosqlite", database=unquote(self.url.path)), options

    def of_server(self):
        from sqlalchemy import URL

        place = {key: values[0] for key, values in parse_qs(self.url.query).items()}
        where = {"host": place["host"], "port": int(place["port"]), "ssl": False}
        # A migration may change tables while this process has statements prepared for them.
        where.update(statement_cache_size=0, prepared_statement_cache_size=0)
        options = {"connect_args": where, "pool_size": self.CONNECTIONS_MAX, "max_overflow": 0, "pool_pre_ping": True}
        names = {"username": self.url.username, "database": self.url.path.lstrip("/")}
        return URL.create("postgresql+asyncpg", **names), options

    def prepare(self, connection, _record):
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA page_size")
        (page_bytes,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {max(1, self.bytes_max // page_bytes)}")
        cursor.close()

    @asynccontextmanager
    async def session(self):
        from sqlalchemy.ext.asyncio import AsyncSession

        async with AsyncSession(self.engine(), expire_on_commit=False) as session:
            try:
                yield session
                await session.commit()
            except BaseException:
                await session.rollback()
                raise

    async def create(self, sdk, plugin):
        """Makes the tables of the models of a plugin without a history."""
        models = list(getattr(plugin, "get_shared_models", list)() or [])
        if not models or has_migrations(plugin):
            return
        async with self.engine().begin() as connection:
            await connection.run_sync(lambda bind: create_all(sdk, bind, models))


def create_all(sdk, bind, models):
    if sdk.has("plugin_database") and hasattr(sdk.module("plugin_database"), "create_model_tables"):
        # It knows of keys that lead to tables of nobody's.
        sdk.module("plugin_database").create_model_tables(bind, models)
        return
    tables = [model.__table__ for model in models if hasattr(model, "__table__")]
    for metadata in {id(table.metadata): table.metadata for table in tables}.values():
        metadata.create_all(bind, tables=[table for table in tables if table.metadata is metadata])


def has_migrations(plugin):
    declared = (getattr(plugin, name, lambda: None)() for name in ("get_migrations_package", "get_migration_spec"))
    return any(one is not None for one in declared)


def lacks(packages):
    return (
        f"The plugin's environment lacks {' and '.join(packages)}, which a session of its tables takes. "
        "Its author adds them to its requirements."
    )


def wants_tables(plugin):
    capabilities = getattr(plugin.metadata, "capabilities", None)
    return bool(getattr(capabilities, "requires_shared_database", False))


def open_tables(sdk, plugin):
    """Puts the session into the context that the SDK makes. None where there are no tables."""
    url = os.environ.get("MINT_PLUGIN_DATABASE_URL")
    tables = Tables(url, int(os.environ["MINT_PLUGIN_DATABASE_BYTES_MAX"]), plugin.metadata.name) if url else None
    if sdk.is_ours or not os.environ.get("MINT_PLATFORM_URL"):
        return None
    if wants_tables(plugin):
        if tables is None:
            sys.exit(NOT_GRANTED)
        if missing := tables.missing():
            sys.exit(lacks(missing))
    remote = sdk.module("remote_context")

    class PlatformContext(remote.RemotePlatformContext):
        @asynccontextmanager
        async def get_shared_db_session(self):
            if tables is None:
                raise NotImplementedError(NOT_GRANTED)
            async with tables.session() as session:
                yield session

    remote.create_context_for_environment = PlatformContext
    return tables
