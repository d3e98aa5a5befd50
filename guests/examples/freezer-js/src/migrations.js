// The history of the tables. What was released must not change.

/** @type {import("../../../sdk/js/index.js").Migration[]} */
export const migrations = [
  {
    version: 1,
    name: "boxes",
    upgrade(op) {
      op.createTable(
        "boxes",
        { name: "id", kind: "bigint", primaryKey: true, counted: true },
        { name: "name", kind: "text", nullable: false, unique: true },
        { name: "tubes", kind: "integer", nullable: false, default: 0 },
      );
    },
    downgrade(op) {
      op.dropTable("boxes");
    },
  },
  {
    version: 2,
    name: "shelves",
    upgrade(op) {
      op.addColumn("boxes", { name: "shelf", kind: "integer" });
      op.createIndex("boxes_by_shelf", "boxes", ["shelf"]);
    },
    downgrade(op) {
      op.dropIndex("boxes_by_shelf");
      op.dropColumn("boxes", "shelf");
    },
  },
];
