// Asking another server over HTTP for JSON, so that a slow, broken or hostile one costs a bounded time and a bounded memory,
// and never follows it elsewhere. Used for who may connect, what they may do, and the keys of tokens.

import { request as httpRequest, Agent as HttpAgent, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as HttpsAgent } from "node:https";
import { HttpError, messageOf } from "../errors.ts";
import type { Secret } from "./secret.ts";
import { Slots, TURNED_AWAY } from "./slots.ts";

export interface EndpointOptions {
  /** http: or https:, without user name and password. */
  readonly url: string;
  /** Milliseconds from the request to the whole answer. */
  readonly timeoutMs: number;
  /** Bytes of an answer. */
  readonly maximumBytes: number;
  /** Requests at the same time. */
  readonly atOnce: number;
  /** Requests that wait; more fail at once. */
  readonly mayWait: number;
  /** Sent as `Authorization: Bearer`. */
  readonly bearerToken?: () => Secret | undefined;
  /** Certificates in PEM that the server's has to come from, instead of those that Node knows. */
  readonly ca?: string;
  /** Milliseconds, for the pause after failures. */
  readonly now: () => number;
}

/** After so many failures in a row, nothing is asked for a while: the other server is down, and is left alone. */
const FAILURES_TO_PAUSE = 5;
const PAUSE_MS = 5_000;

/** One URL that answers with JSON. */
export class JsonEndpoint {
  readonly #options: EndpointOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #slots: Slots;
  #failures = 0;
  #pausedUntilMs = 0;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const { atOnce, mayWait, ca } = options;
    const agentOptions = { keepAlive: true, maxSockets: atOnce };
    this.#agent =
      this.#url.protocol === "https:"
        ? // In so many words: otherwise a variable of the environment turns it off.
          new HttpsAgent({ ...agentOptions, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) })
        : new HttpAgent(agentOptions);
    this.#slots = new Slots(atOnce, mayWait);
  }

  /** How messages call it: without the query, which may hold secrets. */
  get place(): string {
    return `${this.#url.origin}${this.#url.pathname}`;
  }

  /** @throws HttpError */
  get(): Promise<unknown> {
    return this.#ask(undefined, "");
  }

  /**
   * Sends JSON.
   *
   * @param source on whose behalf: those who wait take turns by it.
   * @throws HttpError
   */
  post(body: unknown, source: string = ""): Promise<unknown> {
    return this.#ask(JSON.stringify(body), source);
  }

  /** Closes connections that are kept for the next request. */
  close(): void {
    this.#agent.destroy();
  }

  async #ask(body: string | undefined, source: string): Promise<unknown> {
    this.#checkPause();
    const answer = await this.#slots.run(() => {
      // Many may have waited while it went down.
      this.#checkPause();
      return this.#request(body);
    }, source);
    if (answer === TURNED_AWAY) throw new HttpError(`${this.place}: too many requests wait for an answer`);
    return answer;
  }

  #checkPause(): void {
    if (this.#options.now() < this.#pausedUntilMs) {
      throw new HttpError(`${this.place}: failed ${this.#failures} times in a row, is not asked for a while`);
    }
  }

  async #request(body: string | undefined): Promise<unknown> {
    try {
      const answer = await this.#exchange(body);
      this.#failures = 0;
      return answer;
    } catch (error) {
      this.#failures++;
      if (this.#failures >= FAILURES_TO_PAUSE) this.#pausedUntilMs = this.#options.now() + PAUSE_MS;
      throw new HttpError(`${this.place}: ${messageOf(error)}`, { cause: error });
    }
  }

  #exchange(body: string | undefined): Promise<unknown> {
    const { timeoutMs, maximumBytes, bearerToken } = this.#options;
    const token = bearerToken?.();
    const headers = {
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
    };
    const send = this.#url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const method = body === undefined ? "GET" : "POST";
      const request = send(this.#url, { method, headers, agent: this.#agent }, (response) => {
        readJson(response, maximumBytes).then(resolve, (error: unknown) => {
          reject(error instanceof Error ? error : new Error(String(error)));
          request.destroy();
        });
      });
      const timer = setTimeout(() => {
        const error = new Error(`no whole answer within ${timeoutMs} ms`);
        reject(error);
        request.destroy(error);
      }, timeoutMs);
      request.on("error", reject);
      request.on("close", () => clearTimeout(timer));
      request.end(body);
    });
  }
}

async function readJson(response: IncomingMessage, maximumBytes: number): Promise<unknown> {
  const { statusCode = 0 } = response;
  // A redirect too: what was sent is not for somebody else.
  if (statusCode !== 200) throw new Error(`status ${statusCode}, expected 200`);
  const type = response.headers["content-type"] ?? "";
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new Error("an answer that is not application/json");
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maximumBytes) throw new Error(`an answer of more than ${maximumBytes} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error("an answer that was cut off");
  return parseJson(Buffer.concat(chunks));
}

/** Says nothing of the text: it may hold what must not be seen. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Error("an answer that is not JSON");
  }
}
