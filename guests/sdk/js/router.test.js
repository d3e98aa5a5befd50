import assert from "node:assert/strict";
import { test } from "node:test";

import { makeHandler } from "./router.js";

const lines = [];
const platform = {
  settings: { get: () => "Hi" },
  log: { error: (line) => lines.push(line) },
  user: () => null,
};
const handle = makeHandler(
  {
    routes: {
      "GET /": ({ settings }) => ({ word: settings.get("greeting") }),
      "GET /runs/{id}": ({ params, query }) => ({ ...params, page: query.get("page") }),
      "POST /echo": ({ request }) => new Response(request.body),
      "GET /refuse": ({ Problem }) => {
        throw new Problem(422, "no such run", { run: 7 });
      },
      "GET /fail": () => {
        throw new Error("secret");
      },
      "GET /nothing": () => undefined,
    },
  },
  platform,
);

function call(path, init = {}) {
  const headers = { "x-forwarded-prefix": "/api/demo", "x-request-id": "r1", ...init.headers };
  return handle(new Request(`http://host/api/demo${path}`, { ...init, headers }));
}

test("values become JSON, below the prefix", async () => {
  assert.deepEqual(await (await call("/")).json(), { word: "Hi" });
  assert.deepEqual(await (await call("")).json(), { word: "Hi" });
  assert.deepEqual(await (await call("/runs/a%20b?page=2")).json(), { id: "a b", page: "2" });
  assert.equal((await call("/nothing")).status, 204);
});

test("responses are sent as they are", async () => {
  assert.equal(await (await call("/echo", { method: "POST", body: "text" })).text(), "text");
});

test("errors become the envelope", async () => {
  const refusal = await call("/refuse");
  assert.equal(refusal.status, 422);
  assert.deepEqual(await refusal.json(), {
    code: "validation.error",
    message: "no such run",
    status: 422,
    request_id: "r1",
    details: { run: 7 },
    detail: "no such run",
  });
  assert.equal((await call("/elsewhere")).status, 404);
  const wrong = await call("/", { method: "DELETE" });
  assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "GET"]);
  assert.equal((await call("/runs/%ff")).status, 400);
});

test("a fault is logged and not shown", async () => {
  const answer = await call("/fail");
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /secret/);
  assert.match(lines.join("\n"), /secret/);
});

test("a wrong route is named", () => {
  assert.throws(() => makeHandler({ routes: { "/x": () => 1 } }, platform), /route "\/x"/);
});
