import { migrations } from "./migrations.js";

/** @type {import("../../../sdk/js/index.js").Plugin} */
export default {
  migrations,
  routes: {
    // [{"name": "A1", "shelf": 2, "tubes": 81}, …]
    "GET /boxes": ({ database }) => database.query("select name, shelf, tubes from boxes order by name"),

    // {"name": "A1", "shelf": 2, "tubes": 81}; a name that is there already is a conflict.
    "POST /boxes": async ({ request, database, Problem }) => {
      const { name, shelf, tubes } = await request.json();
      if (!Number.isInteger(tubes)) throw new Problem(422, "tubes: a whole number is missing");
      database.execute("insert into boxes (name, shelf, tubes) values ($1, $2, $3)", name, shelf, tubes);
      return new Response(null, { status: 201 });
    },

    // {"from": "A1", "to": "B2", "tubes": 3}: both boxes change, or none does.
    "POST /moves": async ({ request, database, Problem }) => {
      const { from, to, tubes } = await request.json();
      await database.transaction((both) => {
        both.execute("update boxes set tubes = tubes - $1 where name = $2", tubes, from);
        const found = both.execute("update boxes set tubes = tubes + $1 where name = $2", tubes, to);
        if (found === 0) throw new Problem(404, `there is no box ${to}`);
      });
    },

    // Counts all tubes when the request has ended.
    "POST /inventories": ({ jobs }) => jobs.enqueue("inventory", null, { retries: 3 }),

    "GET /inventories/{job}": ({ jobs, params }) => jobs.get(params.job),
  },
  jobs: {
    inventory: ({ database, job }) => {
      const shelves = database.query("select shelf, count(*) as boxes, sum(tubes) as tubes from boxes group by shelf order by shelf");
      job.progress(100, `${shelves.length} shelves`);
      return { shelves };
    },
  },
};
