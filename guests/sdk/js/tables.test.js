import assert from "node:assert/strict";
import test from "node:test";

import { makeDatabase, makeMigrations, toRows, toValue } from "./tables.js";

test("values go out as what they are", () => {
  const bytes = new Uint8Array([0, 255]);
  assert.deepEqual(
    [null, undefined, true, 7, 0.5, 2n ** 62n, "x", bytes].map(toValue),
    [
      { tag: "null" },
      { tag: "null" },
      { tag: "boolean", val: true },
      { tag: "integer", val: 7n },
      { tag: "real", val: 0.5 },
      { tag: "integer", val: 2n ** 62n },
      { tag: "text", val: "x" },
      { tag: "blob", val: bytes },
    ],
  );
  for (const wrong of [2n ** 63n, {}, [], new Date()]) {
    assert.throws(() => toValue(wrong), (error) => error.payload.tag === "invalid");
  }
});

test("rows come as objects, whole numbers exactly", () => {
  const field = (tag, val) => ({ tag, val });
  const rows = [[field("integer", 1n), field("null"), field("integer", 9007199254740993n)]];
  assert.deepEqual(toRows({ columns: ["a", "b", "c"], rows }), [{ a: 1, b: null, c: 9007199254740993n }]);
});

test("a transaction is committed, or taken back at once", async () => {
  const said = [];
  const begun = { execute: (sql) => (said.push(sql), 1n), [Symbol.dispose ?? Symbol.for("dispose")]: () => said.push("dropped") };
  const database = makeDatabase({ begin: () => begun, Transaction: { commit: () => said.push("committed") } });
  assert.equal(await database.transaction(async (tx) => tx.execute("insert")), 1);
  await assert.rejects(
    database.transaction(() => {
      throw new Error("no");
    }),
  );
  assert.deepEqual(said, ["insert", "committed", "dropped"]);
});

test("a history is listed in order, and a changed migration has another sum", async () => {
  const two = { version: 2, name: "two", destructive: true, upgrade: (op) => op.dropTable("a") };
  const one = { version: 1, name: "one", upgrade: (op) => op.createTable("a", { name: "n", kind: "bigint", primaryKey: true }) };
  const list = (migrations) => makeMigrations({ migrations }).list();
  const listed = await list([two, one]);
  assert.deepEqual(listed.map(({ version, destructive }) => [version, destructive]), [[1, false], [2, true]]);
  assert.match(listed[0].checksum, /^[0-9a-f]{64}$/);
  const [changed] = await list([{ ...one, upgrade: (op) => op.createTable("b") }]);
  assert.notEqual(changed.checksum, listed[0].checksum);
  assert.deepEqual(await makeMigrations({}).list(), []);
});

test("migrations work on the platform's operations, and tell in words why they fail", async () => {
  const made = [];
  const ops = { dialect: () => "sqlite", createTable: (...told) => (made.push(told), true) };
  const references = ["b", "id"];
  const columns = [
    { name: "id", kind: "bigint", primaryKey: true, counted: true },
    { name: "b", kind: "bigint", nullable: false, references, onDelete: "cascade" },
    { name: "at", kind: "timestamp", now: true },
  ];
  const migrations = [{ version: 1, name: "one", upgrade: (op) => op.createTable("a", ...columns) }];
  const exported = makeMigrations({ migrations });
  await exported.upgrade(1, ops);
  const plain = { unique: false, primaryKey: false, counted: false, default: undefined, references: undefined };
  assert.deepEqual(made, [
    [
      "a",
      [
        { ...plain, name: "id", kind: "bigint", nullable: false, primaryKey: true, counted: true },
        { ...plain, name: "b", kind: "bigint", nullable: false, references: { table: "b", column: "id", onDelete: "cascade" } },
        { ...plain, name: "at", kind: "timestamp", nullable: true, default: { tag: "now" } },
      ],
    ],
  ]);
  await assert.rejects(exported.downgrade(1, ops), (words) => words.includes("takes it back"));
  const payload = { tag: "denied", val: { message: "It is destructive." } };
  const failing = { dialect: () => "sqlite", createTable: () => { throw Object.assign(new Error(), { payload }); } };
  await assert.rejects(exported.upgrade(1, failing), (words) => words === "It is destructive.");
});
