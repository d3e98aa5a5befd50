// Puts a plugin behind the platform's host interfaces. `mint build` generates the module that calls `serve`.

import { current, permissions } from "mint:platform/identity@1.0.0";
import { get } from "wasi:config/store@0.2.0-rc.1";
import { log as write } from "wasi:logging/logging@0.1.0-draft";

import { answer } from "./http.js";
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

function user() {
  const actor = current();
  if (!actor) return null;
  return {
    id: Number(actor.userId),
    username: actor.username,
    role: actor.role,
    pluginRole: actor.pluginRole ?? null,
    // A call of the platform of its own, for whoever asks.
    get permissions() {
      return permissions();
    },
  };
}

/** The export `wasi:http/incoming-handler` that answers by the routes of a plugin. */
export function serve(plugin) {
  const handle = makeHandler(plugin, { settings, log, user });
  return { handle: (request, out) => answer(request, out, handle, log.error) };
}
