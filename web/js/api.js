// Asking the node.

/** The node answered, and it was no. `status` is the HTTP status, `kind` the node's own word for it. */
export class Refused extends Error {
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

const PATIENCE = 10_000;

/** The interface of the node that served this page. */
export class Api {
  constructor(token) {
    this.token = token;
  }

  /** The answer to GET `path`, parsed. */
  get(path) {
    return this.#ask(path, { method: "GET" });
  }

  /** The answer to POST `path` with `body` as JSON, parsed. */
  post(path, body) {
    return this.#ask(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
  }

  /** Opens the stream of events: a Response whose body goes on. `after` is the number of the last one that was heard. */
  async events(after, signal) {
    const headers = { ...this.#headers(), Accept: "text/event-stream" };
    if (after !== null) headers["Last-Event-ID"] = after;
    let response;
    try {
      response = await fetch("/v1/events", { headers, signal, cache: "no-store" });
    } catch (error) {
      throw new Unreachable(String(error));
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }

  #headers() {
    return this.token === null ? {} : { Authorization: `Bearer ${this.token}` };
  }

  async #ask(path, options) {
    let response;
    try {
      response = await fetch(path, {
        ...options,
        headers: { ...this.#headers(), ...options.headers },
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (response.ok) return await response.json();
    } catch (error) {
      throw new Unreachable(String(error));
    }
    throw await refusal(response);
  }
}

async function refusal(response) {
  try {
    const said = await response.json();
    return new Refused(response.status, String(said.kind), String(said.error));
  } catch {
    return new Refused(response.status, "unknown", `the node answered with status ${response.status}`);
  }
}
