// Between `mint:plugin/routes` and the Request and Response of the Fetch standard, which are made only where a handler wants
// them. The engine's own fetch event cannot be used: it serves one request in the life of an instance.

import { answer as takeAnswer, request as takeRequest } from "mint:plugin/exchange@1.0.0";
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
 * Answers a request of `mint:plugin/routes` by a function from Incoming to a whole answer or a Response, which must not throw.
 * @param log takes a line when the answer could not be sent
 */
export async function answer(brief, handle, log) {
  const incoming = new Incoming(brief);
  try {
    const made = await handle(incoming);
    return made instanceof Response ? await send(made, brief.method === "HEAD") : made;
  } catch (error) {
    // An exception that left the component would end the instance and its other requests.
    log(`the answer could not be sent: ${error?.payload?.tag ?? error}`);
    return undefined;
  } finally {
    incoming.close();
  }
}

/** A request in few words; the rest is asked for when somebody wants it. */
class Incoming {
  #resource;
  #body;
  #request;

  constructor({ method, target, prefix, id, person }) {
    Object.assign(this, { method, target, prefix, id, person });
  }

  /** As a Request of the Fetch standard. */
  get request() {
    return (this.#request ??= this.#make());
  }

  #make() {
    const incoming = (this.#resource = takeRequest());
    const fields = incoming.headers();
    const headers = new Headers(fields.entries().map(([name, value]) => [name, decoder.decode(value)]));
    dispose(fields);
    const url = `http://${incoming.authority() ?? "plugin"}${this.target}`;
    const { method } = this;
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers });
    this.#body = new IncomingBodyStream(incoming);
    return new Request(url, { method, headers, body: this.#body.readable(), duplex: "half" });
  }

  close() {
    this.#body?.close();
    dispose(this.#resource);
  }
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

// Written while it is sent, so nothing is returned.
async function send(response, isHead) {
  const entries = [...response.headers].map(([name, value]) => [name, encoder.encode(value)]);
  const outgoing = new OutgoingResponse(Fields.fromList(entries));
  outgoing.setStatusCode(response.status);
  const body = outgoing.body();
  ResponseOutparam.set(takeAnswer(), { tag: "ok", val: outgoing });
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
