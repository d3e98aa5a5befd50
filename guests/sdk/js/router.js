// Routes, answers and errors, without any host interface, so that they can be tested under Node.

/**
 * Makes a function from a Request to a Response.
 * @param plugin `{ routes: { "GET /path/{name}": handler } }`
 * @param platform `settings`, `log` and `user`, handed to every handler
 */
export function makeHandler(plugin, platform) {
  const routes = Object.entries(plugin?.routes ?? {}).map(([key, handler]) => parseRoute(key, handler));
  return async (request) => {
    try {
      return toResponse(await dispatch(routes, request, platform));
    } catch (error) {
      return toErrorResponse(error, request, platform.log);
    }
  };
}

/** An error that a client may read: an HTTP status, one sentence, and facts for programs. */
class Problem extends Error {
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

function dispatch(routes, request, platform) {
  const url = new URL(request.url);
  const path = belowPrefix(url.pathname, request.headers.get("x-forwarded-prefix") ?? "");
  const segments = path.split("/");
  const allowed = [];
  for (const route of routes) {
    const params = match(route.pattern, segments);
    if (!params) continue;
    if (route.method === request.method || (route.method === "GET" && request.method === "HEAD")) {
      return route.handler({ ...platform, request, path, params, query: url.searchParams, Problem });
    }
    allowed.push(route.method);
  }
  if (allowed.length === 0) throw new Problem(404, `no route for ${request.method} ${path}`);
  const methods = allowed.join(", ");
  throw Object.assign(new Problem(405, `this path answers ${methods}, not ${request.method}`), {
    headers: { allow: methods },
  });
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

function toResponse(value) {
  if (value instanceof Response) return value;
  if (value === undefined) return new Response(null, { status: 204 });
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

function toErrorResponse(error, request, log) {
  const problem = error?.payload;
  const status = PLATFORM_STATUS[problem?.tag] ?? (error instanceof Problem ? error.status : 500);
  if (status >= 500) log.error(error?.stack ? `${error}\n${error.stack}` : String(error));
  const known = problem?.val ?? (error instanceof Problem ? error : null);
  const message = known?.message ?? "The plugin failed on this request; its log says why.";
  const envelope = {
    code: known?.code ?? CODES[status] ?? "internal.error",
    message,
    status,
    request_id: request.headers.get("x-request-id"),
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
  return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...headers } });
}
