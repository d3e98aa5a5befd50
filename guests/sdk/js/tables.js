// Tables of the plugin's own, over `mint:platform/database` and `mint:platform/migration-ops`. Which of them there are is for
// whoever calls: nothing is imported here, so that it can be tested under Node.

const WIDE = 2n ** 63n;
const symbolDispose = Symbol.dispose ?? Symbol.for("dispose");

/** The tables: each statement takes effect by itself. */
export function makeDatabase(tables) {
  return {
    ...statements(tables),
    /** Commits when `work` is done; an error of it takes back all that it did. */
    async transaction(work) {
      const begun = tables.begin();
      let result;
      try {
        result = await work(statements(begun));
      } catch (error) {
        // Given back at once, not when the engine gets round to it: others wait for it.
        begun[symbolDispose]?.();
        throw error;
      }
      tables.Transaction.commit(begun);
      return result;
    },
  };
}

function statements(on) {
  return {
    query: (sql, ...parameters) => toRows(on.query(sql, parameters.map(toValue))),
    execute: (sql, ...parameters) => Number(on.execute(sql, parameters.map(toValue))),
  };
}

/** The export `mint:plugin/migrations` of a plugin. */
export function makeMigrations(plugin) {
  const history = [...(plugin?.migrations ?? [])].sort((one, other) => one.version - other.version);
  const known = new Map(history.map((one) => [one.version, one]));
  const run = async (version, way, ops) => {
    try {
      const migrate = known.get(version)?.[way];
      if (!migrate) throw new Error("Its author wrote nothing that takes it back.");
      await migrate.call(known.get(version), makeOps(ops));
    } catch (error) {
      // What the platform says of a migration that failed.
      throw `${error?.payload?.val?.message ?? error?.message ?? error}`;
    }
  };
  return {
    list: () =>
      Promise.all(
        history.map(async (one) => ({
          version: one.version,
          name: one.name,
          destructive: one.destructive ?? false,
          checksum: await checksum(one),
        })),
      ),
    upgrade: (version, ops) => run(version, "upgrade", ops),
    downgrade: (version, ops) => run(version, "downgrade", ops),
  };
}

/** Of the code alone, as `mint build` writes it: without comments, and spaced in one way. */
async function checksum({ upgrade, downgrade }) {
  const source = new TextEncoder().encode(`${upgrade}\n${downgrade ?? ""}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", source));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function makeOps(ops) {
  return {
    ...statements(ops),
    dialect: ops.dialect(),
    createTable: (table, ...columns) => ops.createTable(table, columns.map(toColumn)),
    addColumn: (table, column) => ops.addColumn(table, toColumn(column)),
    createIndex: (index, table, columns, { unique = false } = {}) => ops.createIndex(index, table, columns, unique),
    backfill: (table, column, value) => ops.backfill(table, column, toValue(value)),
    renameColumn: (table, column, to) => ops.renameColumn(table, column, to),
    alterColumn: (table, column, { kind, nullable } = {}) => ops.alterColumn(table, column, kind, nullable),
    dropColumn: (table, column) => ops.dropColumn(table, column),
    dropTable: (table) => ops.dropTable(table),
    dropIndex: (index) => ops.dropIndex(index),
  };
}

function toColumn({ name, kind, nullable, default: given, now, unique, primaryKey, counted, references, onDelete }) {
  const [table, column] = references ?? [];
  return {
    name,
    kind,
    nullable: primaryKey ? false : (nullable ?? true),
    default: now ? { tag: "now" } : given === undefined ? undefined : { tag: "literal", val: toValue(given) },
    unique: unique ?? false,
    primaryKey: primaryKey ?? false,
    counted: counted ?? false,
    references: references && { table, column, onDelete: onDelete ?? "refuse" },
  };
}

/** A value for the platform. */
export function toValue(value) {
  switch (typeof value) {
    case "undefined":
      return { tag: "null" };
    case "boolean":
      return { tag: "boolean", val: value };
    case "number":
      return Number.isSafeInteger(value) ? { tag: "integer", val: BigInt(value) } : { tag: "real", val: value };
    case "bigint":
      if (value >= -WIDE && value < WIDE) return { tag: "integer", val: value };
      break;
    case "string":
      return { tag: "text", val: value };
    default:
      if (value === null) return { tag: "null" };
      if (value instanceof Uint8Array) return { tag: "blob", val: value };
  }
  const message = "A value for a table is null, a boolean, a number, a bigint of 64 bits, a string or a Uint8Array.";
  throw Object.assign(new TypeError(message), { payload: { tag: "invalid", val: { code: "VALIDATION_ERROR", message } } });
}

/** Rows as objects by the names of their columns. */
export function toRows({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(row.map((field, place) => [columns[place], fromValue(field)])));
}

function fromValue({ tag, val }) {
  if (tag === "null") return null;
  // Exact, whatever its size.
  if (tag === "integer") return Number.isSafeInteger(Number(val)) ? Number(val) : val;
  return val;
}
