/** The signed-in person. */
export interface User {
  id: number;
  username: string;
  role: string;
  pluginRole: string | null;
  permissions: string[];
}

/** What the handlers of routes and of jobs are called with. */
export interface Platform {
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
  /** Work that goes on when the request has ended. Only with the capability `jobs`. */
  jobs: Queue;
  /**
   * Throw `new Problem(422, "why")` to answer with the platform's error envelope. In a job, a status below 500 means that another
   * attempt would fail in the same way.
   */
  Problem: new (status: number, message: string, details?: unknown) => Error;
}

/** What the handler of a route is called with. */
export interface Context extends Platform {
  request: Request;
  /** The path below the prefix of the plugin. */
  path: string;
  /** Values of the names in braces, decoded. */
  params: Record<string, string>;
  query: URLSearchParams;
  /** Who is signed in, or null. */
  user(): User | null;
}

/** What the handler of a kind of job is called with. */
export interface JobContext extends Platform {
  /** What the job was asked for with. */
  payload: any;
  job: {
    id: number;
    /**
     * Tells how far it is, in percent, and what it does; null leaves what was said before. A sign of life, too. The error
     * `conflict` means that this attempt is not the job's any more: it should end.
     */
    progress(percent?: number | null, message?: string | null): void;
    /** Gives a sign of life. Fails as `progress`. */
    heartbeat(): void;
    /** Whether somebody wants it to end. */
    cancelled(): boolean;
  };
}

/** How a job is asked for. */
export interface Options {
  /** While a job with the same key is kept, asking again gives that one; another person's is a conflict. */
  key?: string;
  /** Seconds before the first attempt. */
  delay?: number;
  /** How often a failed attempt is followed by another. */
  retries?: number;
  /** Seconds without a sign of life after which an attempt is ended. */
  heartbeat?: number;
}

export interface Job {
  id: number;
  kind: string;
  key: string | null;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  /** Attempts begun. */
  attempt: number;
  /** Whether somebody wants it to end. */
  isCancelled: boolean;
  /** How far it is and what it does, as it last said. */
  percent: number | null;
  message: string | null;
  /** What it gave. */
  outcome: any;
  /** Why its last attempt failed. */
  error: string | null;
  /** For whom it acts; null for the plugin itself. */
  userId: number | null;
  createdAt: Date;
  /** Not before then. */
  runAt: Date;
  /** Begin of its last attempt. */
  startedAt: Date | null;
  endedAt: Date | null;
}

/** The jobs of the plugin: those of the acting person, or all when nobody acts. */
export interface Queue {
  enqueue(kind: string, payload?: unknown, options?: Options): Job;
  get(id: number | string): Job;
  /** Newest first. */
  list(page?: { skip?: number; limit?: number }): Job[];
  /** What waits never begins, what runs is told by `cancelled`, and ended when it goes on. False when it had ended. */
  cancel(id: number | string): boolean;
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

/** What it gives is the outcome, as JSON. It may have been begun before, by an attempt that did not come to its end. */
export type JobHandler = (context: JobContext) => unknown;

/** What the main module of a plugin exports by default. */
export interface Plugin {
  /** Keys such as `"GET /runs/{id}"`. */
  routes: Record<string, Handler>;
  /** The history of its tables. Only with the capability `database`. */
  migrations?: Migration[];
  /** The work of each kind of job. Only with the capability `jobs`. */
  jobs?: Record<string, JobHandler>;
}

/** The export `routes` of a component that answers by the routes of a plugin; called by what `mint build` generates. */
export function serve(plugin: Plugin, more?: object): { handle(request: unknown): Promise<unknown> };

/** The export `jobs` of a component that does the jobs of a plugin; called by what `mint build` generates. */
export function work(plugin: Plugin, jobs: object, more?: object): { run(kind: string, payload: string): Promise<unknown> };
