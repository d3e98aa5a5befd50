// Puts a plugin behind the platform's host interfaces. `mint build` generates the module that calls `serve` and `work`.

import { get } from "wasi:config/store@0.2.0-rc.1";
import { log as write } from "wasi:logging/logging@0.1.0-draft";

import { answer } from "./http.js";
import { makeJobs } from "./jobs.js";
import { makeHandler } from "./router.js";

const settings = {
  get(name) {
    const text = get(name);
    return text === undefined || text === null ? undefined : text;
  },
  json(name) {
    const text = settings.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  },
};

const log = Object.fromEntries(
  ["debug", "info", "warn", "error"].map((level) => [level, (message) => write(level, "", String(message))]),
);

/** The export `mint:plugin/routes` that answers by the routes of a plugin; `more` is handed to its handlers, too. */
export function serve(plugin, more = {}) {
  const handle = makeHandler(plugin, { settings, log, ...more });
  return { handle: (request) => answer(request, handle, log.error) };
}

/** The export `mint:plugin/jobs` that does the jobs of a plugin, by the platform's interface `jobs`; `more` as for `serve`. */
export function work(plugin, jobs, more = {}) {
  return makeJobs(plugin, jobs, { settings, log, ...more });
}
