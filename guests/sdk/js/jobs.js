// Work that goes on when the request has ended, over `mint:platform/jobs`. Whoever calls hands it in: no host interface is
// imported here, so that it can be tested under Node.

import { Problem } from "./router.js";

/** Asks for jobs, looks at them and takes them back. */
export function makeQueue(jobs) {
  return {
    enqueue(kind, payload = null, { key, delay = 0, retries = 0, heartbeat } = {}) {
      const options = { key, delaySeconds: delay, retries, heartbeatSeconds: heartbeat };
      return toJob(jobs.enqueue(kind, JSON.stringify(payload), options));
    },
    get: (id) => toJob(jobs.get(toId(id))),
    list: ({ skip = 0, limit = 100 } = {}) => jobs.list({ skip, limit }).map(toJob),
    cancel: (id) => jobs.cancel(toId(id)),
  };
}

/**
 * The export `mint:plugin/jobs` of a plugin.
 * @param plugin `{ jobs: { kind: handler } }`
 * @param jobs the interface of the platform
 * @param platform `settings`, `log` and the like, handed to every handler
 */
export function makeJobs(plugin, jobs, platform) {
  const handlers = new Map(Object.entries(plugin?.jobs ?? {}));
  for (const [kind, handler] of handlers) {
    if (typeof handler !== "function") throw new TypeError(`job ${JSON.stringify(kind)}: its value must be a function`);
  }
  return {
    run: async (kind, payload) => {
      try {
        const handler = handlers.get(kind);
        if (!handler) throw new Problem(404, `no job of the kind ${JSON.stringify(kind)}`);
        const job = makeJob(jobs);
        const outcome = await handler({ ...platform, payload: JSON.parse(payload), job, Problem });
        return outcome === null ? undefined : JSON.stringify(outcome);
      } catch (error) {
        throw toFailure(error, platform.log);
      }
    },
  };
}

// The job that is being done.
function makeJob(jobs) {
  return {
    id: Number(jobs.current()),
    progress: (percent, message) => jobs.progress(percent ?? undefined, message ?? undefined),
    heartbeat: () => jobs.heartbeat(),
    cancelled: () => jobs.cancelled(),
  };
}

// A problem with what was asked for is the same the next time.
function toFailure(error, log) {
  const isFinal = error instanceof Problem && error.status < 500;
  const message = `${error?.payload?.val?.message ?? error?.message ?? error}`;
  if (!isFinal) log.error(error?.stack ? `${message}\n${error.stack}` : message);
  return { message, isFinal };
}

function toId(id) {
  if (/^[0-9]{1,18}$/.test(id)) return BigInt(id);
  const message = `There is no job ${JSON.stringify(String(id))}.`;
  throw Object.assign(new TypeError(message), { payload: { tag: "not-found", val: { code: "NOT_FOUND", message } } });
}

function toJob(job) {
  const { id, kind, status, attempt, isCancelled } = job;
  return {
    id: Number(id),
    kind,
    key: job.key ?? null,
    status,
    attempt,
    isCancelled,
    percent: job.percent ?? null,
    message: job.message ?? null,
    outcome: job.outcome === undefined ? null : JSON.parse(job.outcome),
    error: job.error ?? null,
    userId: job.userId === undefined ? null : Number(job.userId),
    createdAt: toDate(job.createdAt),
    runAt: toDate(job.runAt),
    startedAt: job.startedAt === undefined ? null : toDate(job.startedAt),
    endedAt: job.endedAt === undefined ? null : toDate(job.endedAt),
  };
}

// From microseconds.
function toDate(timestamp) {
  return new Date(Number(timestamp / 1000n));
}
