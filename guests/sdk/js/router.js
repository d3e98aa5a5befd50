// Routes, answers and errors, without any host interface, so that they can be tested under Node.

const encoder = new TextEncoder();

/**
 * Makes a function from an incoming request to an answer: a Response, or `{ status, headers, body }` with pairs and bytes.
 * @param plugin `{ routes: { "GET /path/{name}": handler } }`
 * @param platform `settings` and `log`, handed to every handler
 */
export function makeHandler(plugin, platform) {
  const routes = Object.entries(plugin?.routes ?? {}).map(([key, handler]) => parseRoute(key, handler));
  return async (incoming) => {
    try {
      return toAnswer(await dispatch(routes, incoming, platform));
    } catch (error) {
      return toErrorAnswer(error, incoming, platform.log);
    }
  };
}

/** An error that a client may read: an HTTP status, one sentence, and facts for programs. */
export class Problem extends Error {
  constructor(status, message, details = null) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

function parseRoute(key, handler) {
  const [method, pattern, ...rest] = key.split(" ");
  if (!pattern?.startsWith("/") || rest.length > 0) {
    throw new TypeError(`route ${JSON.stringify(key)}: write it as "GET /path"`);
  }
  if (typeof handler !== "function") {
    throw new TypeError(`route ${JSON.stringify(key)}: its value must be a function`);
  }
  return { method: method.toUpperCase(), pattern: pattern.split("/"), handler };
}

function dispatch(routes, incoming, platform) {
  const [whole, query = ""] = splitOnce(incoming.target, "?");
  const path = belowPrefix(whole, incoming.prefix);
  const segments = path.split("/");
  const allowed = [];
  for (const route of routes) {
    const params = match(route.pattern, segments);
    if (!params) continue;
    if (route.method === incoming.method || (route.method === "GET" && incoming.method === "HEAD")) {
      return route.handler(makeContext(incoming, platform, path, params, query));
    }
    allowed.push(route.method);
  }
  if (allowed.length === 0) throw new Problem(404, `no route for ${incoming.method} ${path}`);
  const methods = allowed.join(", ");
  throw Object.assign(new Problem(405, `this path answers ${methods}, not ${incoming.method}`), {
    headers: { allow: methods },
  });
}

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

// What costs something is made when a handler takes it.
function makeContext(incoming, platform, path, params, query) {
  return {
    ...platform,
    path,
    params,
    Problem,
    user: () => toUser(incoming.person),
    get request() {
      return incoming.request;
    },
    get query() {
      return new URLSearchParams(query);
    },
  };
}

function toUser(person) {
  if (!person) return null;
  const { userId, username, role, pluginRole = null, permissions } = person;
  return {
    id: Number(userId),
    username,
    role,
    pluginRole,
    get permissions() {
      return JSON.parse(permissions);
    },
  };
}

function belowPrefix(path, prefix) {
  const bare = prefix.replace(/\/+$/, "");
  if (path === bare) return "/";
  return path.startsWith(`${bare}/`) ? path.slice(bare.length) : path;
}

function match(pattern, segments) {
  if (pattern.length !== segments.length) return null;
  const params = {};
  for (const [index, want] of pattern.entries()) {
    const have = segments[index];
    if (want.startsWith("{") && want.endsWith("}")) {
      if (have === "") return null;
      params[want.slice(1, -1)] = decode(have);
    } else if (want !== have) {
      return null;
    }
  }
  return params;
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Problem(400, `${JSON.stringify(segment)} in the path is not percent-encoded UTF-8`);
  }
}

function toAnswer(value) {
  if (value instanceof Response) return value;
  if (value === undefined) return { status: 204, headers: [], body: new Uint8Array() };
  return json(value, 200);
}

const CODES = {
  400: "request.bad_request",
  401: "auth.unauthorized",
  403: "auth.forbidden",
  404: "resource.not_found",
  405: "request.method_not_allowed",
  409: "resource.conflict",
  413: "request.too_large",
  422: "validation.error",
  429: "rate_limit.exceeded",
  503: "service.unavailable",
};

// What the cases of a `mint:platform` error mean in HTTP.
const PLATFORM_STATUS = {
  invalid: 400,
  denied: 403,
  "not-found": 404,
  conflict: 409,
  "quota-exceeded": 507,
  unavailable: 503,
  internal: 500,
};

function toErrorAnswer(error, incoming, log) {
  const problem = error?.payload;
  const status = PLATFORM_STATUS[problem?.tag] ?? (error instanceof Problem ? error.status : 500);
  if (status >= 500) log.error(error?.stack ? `${error}\n${error.stack}` : String(error));
  const known = problem?.val ?? (error instanceof Problem ? error : null);
  const message = known?.message ?? "The plugin failed on this request; its log says why.";
  const envelope = {
    code: known?.code ?? CODES[status] ?? "internal.error",
    message,
    status,
    request_id: incoming.id,
    details: parseDetails(known?.details),
    detail: message,
  };
  return json(envelope, status, error?.headers);
}

function parseDetails(details) {
  if (typeof details !== "string") return details ?? null;
  try {
    return JSON.parse(details);
  } catch {
    return details;
  }
}

function json(value, status, headers = {}) {
  const fields = Object.entries({ "content-type": "application/json", ...headers });
  return { status, headers: fields, body: encoder.encode(JSON.stringify(value)) };
}
