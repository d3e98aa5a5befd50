import assert from "node:assert/strict";
import { test } from "node:test";

import plugin, { greet } from "./plugin.js";

test("a person is greeted by name, somebody unknown as a stranger", () => {
  assert.equal(greet("Guten Tag", { username: "ada" }), "Guten Tag, ada!");
  assert.equal(greet("Hello", null), "Hello, stranger!");
});

test("the greeting is logged", () => {
  const lines = [];
  const log = { info: (line) => lines.push(line) };
  const answer = plugin.routes["GET /"]({ settings: { get: () => undefined }, user: () => null, log });
  assert.deepEqual(answer, { message: "Hello, stranger!", plugin: "hello-js" });
  assert.deepEqual(lines, ["Hello, stranger!"]);
});
