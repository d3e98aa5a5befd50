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
  /** Who is signed in, or null. */
  user(): User | null;
  /** Throw `new Problem(422, "why")` to answer with the platform's error envelope. */
  Problem: new (status: number, message: string, details?: unknown) => Error;
}

/** A Response is sent as it is, anything else as JSON, nothing as 204. */
export type Handler = (context: Context) => unknown;

/** What the main module of a plugin exports by default. */
export interface Plugin {
  /** Keys such as `"GET /runs/{id}"`. */
  routes: Record<string, Handler>;
}

/** The export `routes` of a component that answers by the routes of a plugin; called by what `mint build` generates. */
export function serve(plugin: Plugin): { handle(request: unknown): Promise<unknown> };
