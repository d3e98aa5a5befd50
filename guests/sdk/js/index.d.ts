/** The signed-in person. */
export interface User {
  id: number;
  username: string;
  role: string;
  pluginRole: string | null;
  permissions: string[];
}

/** What a handler is called with. */
export interface Context {
  request: Request;
  /** The path below the prefix of the plugin. */
  path: string;
  /** Values of the names in braces, decoded. */
  params: Record<string, string>;
  query: URLSearchParams;
  settings: {
    /** A setting as the text it is stored as. */
    get(name: string): string | undefined;
    /** A setting that is not a text: number, boolean, list or object. */
    json(name: string): unknown;
  };
  /** Lines in the log of the installation. */
  log: Record<"debug" | "info" | "warn" | "error", (message: string) => void>;
  /** The tables of the plugin. Only with the capability `database`. */
  database: Database;
  /** Who is signed in, or null. */
  user(): User | null;
  /** Throw `new Problem(422, "why")` to answer with the platform's error envelope. */
  Problem: new (status: number, message: string, details?: unknown) => Error;
}

/** What stands in a table. Whole numbers that a number cannot hold exactly are a bigint. */
export type Value = null | boolean | number | bigint | string | Uint8Array;
export type Row = Record<string, Value>;

/** Statements, one at a time, with `$1`, `$2` … for their parameters. */
export interface Statements {
  query(sql: string, ...parameters: Value[]): Row[];
  /** How many rows it changed. */
  execute(sql: string, ...parameters: Value[]): number;
}

/** Tables of the plugin's own. Each statement takes effect by itself. */
export interface Database extends Statements {
  /** Commits when `work` is done; an error of it takes back all that it did. */
  transaction<T>(work: (transaction: Statements) => T | Promise<T>): Promise<T>;
}

export type Kind =
  "integer" | "bigint" | "real" | "decimal" | "text" | "boolean" | "timestamp" | "date" | "json" | "uuid" | "blob";

export interface Column {
  name: string;
  kind: Kind;
  /** True where nothing is said. */
  nullable?: boolean;
  default?: Value;
  /** The moment of the insert, as the default of a timestamp. */
  now?: boolean;
  unique?: boolean;
  primaryKey?: boolean;
  /** Counted up by the database: for the only column of a primary key. */
  counted?: boolean;
  /** Table and column. */
  references?: [string, string];
  onDelete?: "refuse" | "cascade" | "set-null";
}

/** What a migration does. What is there already is left alone: such calls give false. */
export interface MigrationOps extends Statements {
  dialect: "sqlite" | "postgresql";
  createTable(table: string, ...columns: Column[]): boolean;
  addColumn(table: string, column: Column): boolean;
  createIndex(index: string, table: string, columns: string[], how?: { unique?: boolean }): boolean;
  /** Writes a value where there is none. */
  backfill(table: string, column: string, value: Value): boolean;
  /** Destructive, as are those that follow. */
  renameColumn(table: string, column: string, to: string): boolean;
  alterColumn(table: string, column: string, to: { kind?: Kind; nullable?: boolean }): boolean;
  dropColumn(table: string, column: string): boolean;
  dropTable(table: string): boolean;
  dropIndex(index: string): boolean;
}

/** One step of the history of the tables. What was released must not change; what it calls stands in it. */
export interface Migration {
  /** Place in the order, from 1. */
  version: number;
  name: string;
  /** Code of before cannot work with the tables after it: it waits until none runs. */
  destructive?: boolean;
  upgrade(op: MigrationOps): unknown;
  downgrade?(op: MigrationOps): unknown;
}

/** A Response is sent as it is, anything else as JSON, nothing as 204. */
export type Handler = (context: Context) => unknown;

/** What the main module of a plugin exports by default. */
export interface Plugin {
  /** Keys such as `"GET /runs/{id}"`. */
  routes: Record<string, Handler>;
  /** The history of its tables. Only with the capability `database`. */
  migrations?: Migration[];
}

/** The export `routes` of a component that answers by the routes of a plugin; called by what `mint build` generates. */
export function serve(plugin: Plugin, more?: object): { handle(request: unknown): Promise<unknown> };
