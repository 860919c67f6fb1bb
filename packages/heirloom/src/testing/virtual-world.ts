// A world whose time stands still until a test moves it.

import { randomBytes } from "node:crypto";
import type { World } from "@heirloom/core";
import type { Driven } from "../runtime.ts";

/** Virtual time; turns run in Node's event loop as in production. */
export class VirtualWorld implements World {
  #driven: Driven | undefined;
  #nowMs: number;
  #wakeAtMs: number | undefined;
  #turnRequested = false;
  #turnCount = 0;

  /** @param startMs milliseconds since 1970-01-01 UTC. */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  drive(driven: Driven): void {
    this.#driven = driven;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  randomBytes(length: number): Uint8Array {
    return randomBytes(length);
  }

  requestTurn(): void {
    if (this.#turnRequested) return;
    this.#turnRequested = true;
    setImmediate(() => {
      this.#turnRequested = false;
      this.#turnCount++;
      this.#driven?.endTurn();
    });
  }

  wakeAt(timeMs: number | undefined): void {
    this.#wakeAtMs = timeMs;
  }

  /** Turns that have run so far. */
  get turnCount(): number {
    return this.#turnCount;
  }

  /** When the broker wants to be called next, if it does. */
  get nextWakeMs(): number | undefined {
    return this.#wakeAtMs;
  }

  /** Moves time forward; never back. Wakes nobody. */
  moveTo(timeMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }

  /** Moves to the time that the broker asked for, and calls it. */
  wakeNext(): void {
    const timeMs = this.#wakeAtMs;
    if (timeMs === undefined) return;
    this.#wakeAtMs = undefined;
    this.moveTo(timeMs);
    this.#driven?.wake();
  }
}
