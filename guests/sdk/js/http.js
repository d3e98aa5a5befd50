// Between `wasi:http` and the Request and Response of the Fetch standard. The engine's own fetch event cannot be used: it
// serves one request in the life of an instance.

import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.12";

const READ_BYTES_MAX = 65536n;
const symbolDispose = Symbol.dispose ?? Symbol.for("dispose");
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// The host counts the handles of an instance, so they are given back at once and not when the engine gets round to it.
function dispose(resource) {
  resource?.[symbolDispose]?.();
}

/**
 * Answers a `wasi:http` request by a function from Request to Response, which must not throw.
 * @param log takes a line when the answer could not be sent
 */
export async function answer(incoming, out, handle, log) {
  const body = new IncomingBodyStream(incoming);
  try {
    const request = toRequest(incoming, body);
    await send(await handle(request), out, request.method === "HEAD");
  } catch (error) {
    // An exception that left the component would end the instance and its other requests.
    log(`the answer could not be sent: ${error?.payload?.tag ?? error}`);
  } finally {
    body.close();
    dispose(incoming);
  }
}

function toRequest(incoming, body) {
  const method = methodName(incoming.method());
  const fields = incoming.headers();
  const headers = new Headers(fields.entries().map(([name, value]) => [name, decoder.decode(value)]));
  dispose(fields);
  const url = `http://${incoming.authority() ?? "plugin"}${incoming.pathWithQuery() ?? "/"}`;
  const bodiless = method === "GET" || method === "HEAD";
  return new Request(url, bodiless ? { method, headers } : { method, headers, body: body.readable(), duplex: "half" });
}

function methodName(method) {
  return method.tag === "other" ? method.val : method.tag.toUpperCase();
}

// The body of a request, opened when it is first read.
class IncomingBodyStream {
  #incoming;
  #body;
  #stream;
  #closed = false;

  constructor(incoming) {
    this.#incoming = incoming;
  }

  readable() {
    const pull = (controller) => {
      const bytes = this.#read();
      if (bytes) controller.enqueue(bytes);
      else controller.close();
    };
    return new ReadableStream({ pull, cancel: () => this.close() }, { highWaterMark: 0 });
  }

  #read() {
    if (this.#closed) return null;
    if (!this.#stream) {
      this.#body = this.#incoming.consume();
      this.#stream = this.#body.stream();
    }
    try {
      return this.#stream.blockingRead(READ_BYTES_MAX);
    } catch (error) {
      if (error?.payload?.tag !== "closed") throw error;
      this.close();
      return null;
    }
  }

  close() {
    this.#closed = true;
    dispose(this.#stream);
    dispose(this.#body);
    this.#stream = this.#body = undefined;
  }
}

async function send(response, out, isHead) {
  const entries = [...response.headers].map(([name, value]) => [name, encoder.encode(value)]);
  const outgoing = new OutgoingResponse(Fields.fromList(entries));
  outgoing.setStatusCode(response.status);
  const body = outgoing.body();
  ResponseOutparam.set(out, { tag: "ok", val: outgoing });
  const stream = body.write();
  try {
    // The host keeps the body of an answer to HEAD back, but checks its length where one was promised.
    const isWanted = !isHead || response.headers.has("content-length");
    if (isWanted && response.body) await copy(response.body, stream);
  } finally {
    dispose(stream);
  }
  OutgoingBody.finish(body, undefined);
}

async function copy(from, to) {
  const reader = from.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    write(typeof value === "string" ? encoder.encode(value) : value, to);
  }
}

function write(bytes, stream) {
  let rest = bytes;
  while (rest.length > 0) {
    const permit = Number(stream.checkWrite());
    if (permit === 0) {
      const ready = stream.subscribe();
      ready.block();
      dispose(ready);
      continue;
    }
    stream.write(rest.subarray(0, permit));
    rest = rest.subarray(permit);
  }
  stream.flush();
}
