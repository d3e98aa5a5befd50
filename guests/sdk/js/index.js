// Puts a plugin behind the platform's host interfaces. `mint build` generates the two lines that call `serve`.

import { current } from "mint:platform/identity@1.0.0";
import { get } from "wasi:config/store@0.2.0-rc.1";
import { log as write } from "wasi:logging/logging@0.1.0-draft";

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
    permissions: actor.permissions,
  };
}

/** Answers requests by the routes of a plugin. */
export function serve(plugin) {
  const handle = makeHandler(plugin, { settings, log, user });
  addEventListener("fetch", (event) => event.respondWith(handle(event.request)));
}
