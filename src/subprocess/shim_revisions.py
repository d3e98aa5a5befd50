"""The history of a plugin's tables as revisions of Alembic, which MINT's SDK would run by a connection of its own: here each is a
migration of the platform's, by statements of the platform's."""

# Beside what a revision says of itself and what takes away in any migration: tables that code of before does not know, or whose
# rows it may not write any more.
ALTERS = re.compile(r"\b(rename_table|drop_\w+|create_(?:foreign_key|primary_key|\w+_constraint))\b")
# Tables that are about tables: the platform's, and MINT's.
NOTES = {
    "alembic_version", "_mint_migration_history", "_mint_database_identity", "schema_migrations", "plugin_schema_migrations",
    "_plugin_migrations",
}


class Revisions:
    """The one line of them in a package, numbered from 1, and known by their names."""

    def __init__(self, sdk, spec, plugin_name):
        if missing := [package for package in ("sqlalchemy", "alembic") if find_spec(package) is None]:
            sys.exit(lacks(missing))
        # It keeps a revision that does not call itself destructive from dropping anything, and knows what models want.
        runtime = "migrations._alembic_runtime"
        self.runtime = sdk.module(runtime) if sdk.has(runtime) else None
        self.spec, self.plugin_name = spec, plugin_name
        place = find_spec(spec.package)
        places = list(place.submodule_search_locations or ()) if place else []
        if len(places) != 1:
            sys.exit(f"`{spec.package}` is not a package with one directory of revisions.")
        self.revisions = {one.revision: one for one in self.line(places[0])}

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
        for version, one in enumerate(self.revisions.values(), 1):
            source = inspect.getsource(one.module.upgrade)
            takes = is_destructive(one) or bool(ALTERS.search(source)) or bool(TAKES_AWAY.search(ADDS.sub("", source)))
            told = {"version": version, "name": one.revision, "destructive": takes, "checksum": self.checksum(one)}
            yield told | {"named": True}

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

        revision, up = self.revisions[asked["name"]], asked["up"]
        with at_work(Driver(line), asked["dialect"]) as (connection, schema):
            options = {
                "mint_managed": True,
                "mint_destructive": is_destructive(revision) or not up,
                "version_table_schema": schema,
                "render_as_batch": schema is None,
            }
            with Operations.context(MigrationContext.configure(connection, opts=options)):
                (revision.module.upgrade if up else revision.module.downgrade)(schema=schema)
            if up and revision is list(self.revisions.values())[-1]:
                self.compare(connection, schema)

    def look(self, line, asked):
        """Before the first of them, how many the tables had already. After the last, whether they are what the models say."""
        applied = asked["look"]
        begun = any(one["name"] in self.revisions for one in applied)
        driver = Driver(line, [] if begun else [noted(one, self.plugin_name) for one in applied])
        with at_work(driver, asked["dialect"]) as (connection, schema):
            count = len(self.revisions) if begun else self.adopted(connection, schema)
            if count == len(self.revisions):
                self.compare(connection, schema)
        return 0 if begun else count

    def adopted(self, connection, schema):
        from sqlalchemy import inspect as look_at

        legacy = self.spec.legacy
        if legacy is not None and legacy.validate(connection, schema):
            if legacy.revision not in self.revisions:
                raise Denied(f"the baseline `{legacy.revision}` is none of its revisions.")
            return list(self.revisions).index(legacy.revision) + 1
        if found := sorted(set(look_at(connection).get_table_names(schema=schema)) - NOTES):
            raise Denied(
                f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} there, and no revision made them. A release whose "
                "`MigrationSpec` has a `LegacyBaseline` that takes them can."
            )
        return 0

    def compare(self, connection, schema):
        if not self.spec.models or self.runtime is None:
            return
        differences = self.runtime._differences(connection, self.spec, schema)
        if found := [difference(one) for one in self.runtime._incompatible_differences(differences)]:
            raise Denied(f"the tables are not what its models say: {'; '.join(found)}.")


def is_destructive(revision):
    return getattr(revision.module, "destructive", False) is True


def difference(found):
    match found:
        case ("add_table", table, *_):
            return f"`{table.name}` is missing"
        case ("add_column", _, table, column, *_):
            return f"`{table}.{column.name}` is missing"
        case ("modify_type", _, table, column, _, there, wanted, *_):
            return f"`{table}.{column}` is {there!r} and should be {wanted!r}"
    return str(found[0])


def noted(applied, plugin_name):
    """A migration of a history before the revisions, as MINT would have noted it."""
    return {
        "plugin_name": plugin_name,
        "version": applied["version"],
        "name": applied["name"],
        "applied_at": applied["applied_at"],
        "checksum": applied["checksum"],
        "success": True,
        "error_message": None,
    }
