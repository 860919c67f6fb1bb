// One network connection to the broker under test, with a judge of what comes back.

import type { Broker, Connection, Listener, Transport } from "@heirloom/core";
import { ClientStream } from "./client-stream.ts";
import { Judge } from "./judge.ts";

const LISTENER: Listener = { name: "fuzz", allowAnonymous: true };

export class Peer implements Transport {
  readonly remoteAddress: string;
  readonly connection: Connection;
  readonly stream: ClientStream = new ClientStream();
  readonly judge: Judge = new Judge(this.stream);
  isEnded = false;
  /** Takes nothing: what the broker writes stands in line. */
  isStuck = false;
  /** What the broker does not want to read yet. */
  readonly #unread: Uint8Array[] = [];
  #isPaused = false;
  #line: Uint8Array[] = [];
  #lineBytes = 0;

  /** Told when the broker stops or goes on reading: it does so from within promises. */
  readonly #paused: () => void;

  constructor(broker: Broker, name: string, paused: () => void) {
    this.remoteAddress = name;
    this.#paused = paused;
    this.connection = broker.accept(this, LISTENER);
  }

  // --- the client's side -----------------------------------------------------------------------------------------

  send(bytes: Uint8Array): void {
    this.stream.send(bytes);
    if (this.#isPaused) this.#unread.push(bytes);
    else this.connection.receive(bytes);
  }

  /** The network between the two is gone. */
  drop(): void {
    this.connection.closed();
  }

  /** Reads again. */
  unstick(): void {
    this.isStuck = false;
    const line = this.#line;
    this.#line = [];
    this.#lineBytes = 0;
    for (const bytes of line) this.judge.receive(bytes);
    if (!this.isEnded) this.connection.drained();
  }

  // --- the broker's side -----------------------------------------------------------------------------------------

  get bufferedBytes(): number {
    return this.#lineBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isEnded) throw new Error("written to a connection that the broker has ended");
    // A copy, as a system takes one.
    const copy = bytes.slice();
    if (!this.isStuck) {
      this.judge.receive(copy);
      return true;
    }
    this.#line.push(copy);
    this.#lineBytes += copy.length;
    return true;
  }

  end(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isEnded = true;
    this.#line = [];
    this.#lineBytes = 0;
  }

  pause(paused: boolean): void {
    this.#paused();
    this.#isPaused = paused;
    // Not from within the call: a socket goes on later too.
    if (!paused && this.#unread.length > 0) queueMicrotask(() => this.#goOn());
  }

  #goOn(): void {
    while (!this.#isPaused) {
      const bytes = this.#unread.shift();
      if (bytes === undefined) return;
      this.connection.receive(bytes);
    }
  }
}
