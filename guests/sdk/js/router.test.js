import assert from "node:assert/strict";
import { test } from "node:test";

import { makeHandler } from "./router.js";

const lines = [];
const platform = {
  settings: { get: () => "Hi" },
  log: { error: (line) => lines.push(line) },
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
      "GET /me": ({ user }) => user(),
    },
  },
  platform,
);

async function call(path, init = {}, person = undefined) {
  const target = `/api/demo${path}`;
  const request = new Request(`http://host${target}`, init);
  const answer = await handle({ method: request.method, target, prefix: "/api/demo", id: "r1", person, request });
  if (answer instanceof Response) return answer;
  const { status, headers, body } = answer;
  return new Response(body.length > 0 ? body : null, { status, headers });
}

test("values become JSON, below the prefix", async () => {
  assert.deepEqual(await (await call("/")).json(), { word: "Hi" });
  assert.deepEqual(await (await call("")).json(), { word: "Hi" });
  assert.deepEqual(await (await call("/runs/a%20b?page=2")).json(), { id: "a b", page: "2" });
  assert.equal((await call("/nothing")).status, 204);
});

test("the person is whom the platform names", async () => {
  const person = { userId: 7n, username: "ada", role: "member", pluginRole: undefined, permissions: '["x.view"]' };
  const expected = { id: 7, username: "ada", role: "member", pluginRole: null, permissions: ["x.view"] };
  assert.deepEqual(await (await call("/me", {}, person)).json(), expected);
  assert.equal(await (await call("/me")).json(), null);
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
