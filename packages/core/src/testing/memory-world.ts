// A world whose time stands still until a test moves it. Turns end when the test says so; randomness is a fixed sequence.

import type { World } from "../ports/world.ts";

export class MemoryWorld implements World {
  #nowMs: number;
  #wakeAtMs: number | undefined;
  #isTurnWanted = false;
  #random = 1;
  /** What `memoryBytes` says. */
  usedBytes = 0;

  /** `startMs`: milliseconds since 1970-01-01 UTC. */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  memoryBytes(): number {
    return this.usedBytes;
  }

  /** The same bytes in every run: a test wants a replay, not a secret. */
  randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index++) {
      this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      bytes[index] = this.#random >>> 16;
    }
    return bytes;
  }

  requestTurn(): void {
    this.#isTurnWanted = true;
  }

  wakeAt(timeMs: number | undefined): void {
    this.#wakeAtMs = timeMs;
  }

  /** Whether a turn was asked for since the last call. */
  takeTurnRequest(): boolean {
    const isWanted = this.#isTurnWanted;
    this.#isTurnWanted = false;
    return isWanted;
  }

  /** When the broker wants to be called next, if it does. */
  get nextWakeMs(): number | undefined {
    return this.#wakeAtMs;
  }

  /** Sets the wall clock, also back. A broker reads it once, at its start: call this right before a restart. */
  setTo(timeMs: number): void {
    this.#nowMs = timeMs;
  }

  /** Moves time forward; never back. Wakes nobody. */
  moveTo(timeMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }
}
