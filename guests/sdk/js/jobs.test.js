import assert from "node:assert/strict";
import test from "node:test";

import { makeJobs, makeQueue } from "./jobs.js";

const queued = {
  id: 7n,
  kind: "report",
  key: undefined,
  status: "queued",
  attempt: 0,
  isCancelled: false,
  percent: undefined,
  message: undefined,
  outcome: undefined,
  error: undefined,
  userId: undefined,
  createdAt: 1_000_000n,
  runAt: 2_500_999n,
  startedAt: undefined,
  endedAt: undefined,
};
const shown = {
  ...queued,
  id: 7,
  key: null,
  percent: null,
  message: null,
  outcome: null,
  error: null,
  userId: null,
  createdAt: new Date(1000),
  runAt: new Date(2500),
  startedAt: null,
  endedAt: null,
};

test("a job is asked for with what was said, and shown in plain values", () => {
  const asked = [];
  const queue = makeQueue({ enqueue: (...told) => (asked.push(told), queued) });
  assert.deepEqual(queue.enqueue("report"), shown);
  queue.enqueue("report", { plate: 7 }, { key: "plate-7", delay: 60, retries: 3, heartbeat: 30 });
  assert.deepEqual(asked, [
    ["report", "null", { key: undefined, delaySeconds: 0, retries: 0, heartbeatSeconds: undefined }],
    ["report", '{"plate":7}', { key: "plate-7", delaySeconds: 60, retries: 3, heartbeatSeconds: 30 }],
  ]);
});

test("jobs are looked at and taken back by their numbers", () => {
  const ended = { status: "completed", outcome: "[1]", userId: 3n, startedAt: 0n, endedAt: 1000n };
  const queue = makeQueue({
    get: (id) => ({ ...queued, ...ended, id }),
    list: ({ skip, limit }) => [{ ...queued, id: BigInt(skip) }, { ...queued, id: BigInt(limit) }],
    cancel: (id) => id === 7n,
  });
  const { id, outcome, userId, endedAt } = queue.get("12");
  assert.deepEqual([id, outcome, userId, endedAt], [12, [1], 3, new Date(1)]);
  assert.deepEqual(queue.list().map((job) => job.id), [0, 100]);
  assert.deepEqual(queue.list({ skip: 5, limit: 2 }).map((job) => job.id), [5, 2]);
  assert.deepEqual([queue.cancel(7), queue.cancel("8")], [true, false]);
  for (const wrong of ["x", "", -1, 1.5, "9".repeat(19), null]) {
    assert.throws(() => queue.get(wrong), (error) => error.payload.tag === "not-found");
  }
});

const said = [];
const host = {
  current: () => 7n,
  progress: (...told) => said.push(told),
  heartbeat: () => said.push("alive"),
  cancelled: () => true,
};
const lines = [];
const platform = { settings: { get: () => "Hi" }, log: { error: (line) => lines.push(line) } };
const { run } = makeJobs(
  {
    jobs: {
      double: async ({ payload, job, settings }) => {
        job.progress(50, "half");
        job.progress(null, "more");
        job.heartbeat();
        return { doubled: payload * 2, id: job.id, cancelled: job.cancelled(), word: settings.get("greeting") };
      },
      nothing: () => undefined,
      none: () => null,
      hopeless: ({ Problem }) => {
        throw new Problem(422, "The plate is empty.");
      },
      unlucky: ({ Problem }) => {
        throw new Problem(503, "The balance does not answer.");
      },
      broken: () => {
        throw new Error("no plate");
      },
      refused: () => {
        throw Object.assign(new Error(), { payload: { tag: "denied", val: { message: "It may not." } } });
      },
      big: () => 1n,
    },
  },
  host,
  platform,
);

test("a job is done over JSON", async () => {
  assert.equal(await run("double", "21"), '{"doubled":42,"id":7,"cancelled":true,"word":"Hi"}');
  assert.deepEqual(said, [[50, "half"], [undefined, "more"], "alive"]);
  assert.equal(await run("nothing", "null"), undefined);
  assert.equal(await run("none", "null"), undefined);
});

test("a failure says why, and whether that is final", async () => {
  const cases = [
    ["hopeless", "The plate is empty.", true],
    ["unlucky", "The balance does not answer.", false],
    ["broken", "no plate", false],
    ["refused", "It may not.", false],
    ["unknown", 'no job of the kind "unknown"', true],
    ["toString", 'no job of the kind "toString"', true],
  ];
  for (const [kind, message, isFinal] of cases) {
    await assert.rejects(run(kind, "null"), (failure) => {
      assert.deepEqual(failure, { message, isFinal });
      return true;
    });
  }
  await assert.rejects(run("big", "null"), ({ isFinal }) => !isFinal);
  assert.match(lines.join("\n"), /no plate/);
  assert.doesNotMatch(lines.join("\n"), /is empty/);
});

test("a wrong job is named", () => {
  assert.throws(() => makeJobs({ jobs: { report: 1 } }, host, platform), /job "report"/);
  assert.doesNotThrow(() => makeJobs({}, host, platform));
});
