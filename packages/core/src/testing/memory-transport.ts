// A network connection in memory: what the broker writes arrives at once, unless a test lets it stand in line.

import type { Transport } from "../ports/transport.ts";

export class MemoryTransport implements Transport {
  readonly remoteAddress: string;
  /** Whether the broker ended it. */
  isEnded = false;
  /** Whether the broker has stopped to read. */
  isPaused = false;
  /** Whether the peer takes nothing: everything that is written stands in line. */
  isStuck = false;
  #line: Uint8Array[] = [];
  readonly #arrived: (bytes: Uint8Array) => void;

  constructor(remoteAddress: string, arrived: (bytes: Uint8Array) => void) {
    this.remoteAddress = remoteAddress;
    this.#arrived = arrived;
  }

  get bufferedBytes(): number {
    let count = 0;
    for (const bytes of this.#line) count += bytes.length;
    return count;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isEnded) throw new Error("written to a connection that the broker has ended");
    // A copy, as a system takes one: so that a test sees it when bytes are overwritten that were not sent yet.
    if (this.isStuck) this.#line.push(bytes.slice());
    else this.#arrived(bytes.slice());
    return true;
  }

  /** The peer reads again: what stood in line arrives. The caller tells the connection that it `drained`. */
  unstick(): void {
    this.isStuck = false;
    const line = this.#line;
    this.#line = [];
    for (const bytes of line) this.#arrived(bytes);
  }

  end(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isEnded = true;
    this.#line = [];
  }

  pause(paused: boolean): void {
    this.isPaused = paused;
  }
}
