// Node's world for the core: a clock, randomness, and someone to call the broker again.
// One setImmediate per turn and one timer; nothing per message.

import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { World } from "@heirloom/core";

/** What a runtime calls: the two ways in which a broker goes on by itself. */
export interface Driven {
  endTurn(): void;
  wake(): void;
}

/** Milliseconds. Node cuts longer timers to 1 ms; they are set again when this time is over. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Read once: the getter costs more than the clock. */
const TIME_ORIGIN_MS = performance.timeOrigin;

/** The world of a broker that runs on Node. */
export class NodeWorld implements World {
  #driven: Driven | undefined;
  #turnRequested = false;
  #wakeAtMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /**
   * The time for which the timer runs, in `now` time. Not when it fires, which is up to a millisecond later: compared
   * with that, the same time asked for again would look earlier and set the timer anew each turn.
   */
  #timerAtMs = 0;

  /** Names the broker to call. Turns and times that were asked for before are not lost. */
  drive(driven: Driven): void {
    this.#driven = driven;
  }

  now(): number {
    return TIME_ORIGIN_MS + performance.now();
  }

  memoryBytes(): number {
    return process.memoryUsage.rss();
  }

  /** What the wall clock shows, which may jump: for times that other machines have set. */
  wallNow(): number {
    return Date.now();
  }

  randomBytes(length: number): Uint8Array {
    return randomBytes(length);
  }

  requestTurn(): void {
    if (this.#turnRequested) return;
    this.#turnRequested = true;
    // The check phase comes after the poll phase: by then every socket that was readable has been read.
    setImmediate(this.#endTurn);
  }

  wakeAt(timeMs: number | undefined): void {
    this.#wakeAtMs = timeMs;
    if (timeMs === undefined) {
      this.#stopTimer();
    } else if (this.#timer === undefined || timeMs < this.#timerAtMs) {
      // A later time needs nothing: the timer that runs sets the next one when it fires.
      this.#stopTimer();
      this.#startTimer(timeMs);
    }
  }

  readonly #endTurn = (): void => {
    this.#turnRequested = false;
    this.#driven?.endTurn();
  };

  readonly #fire = (): void => {
    this.#timer = undefined;
    const wakeAtMs = this.#wakeAtMs;
    if (wakeAtMs === undefined) return;
    if (wakeAtMs > this.now()) {
      this.#startTimer(wakeAtMs);
      return;
    }
    this.#wakeAtMs = undefined;
    // After the poll phase: what arrived while the process stood still is read before deadlines are looked at.
    setImmediate(this.#wake);
  };

  readonly #wake = (): void => {
    this.#driven?.wake();
  };

  #startTimer(timeMs: number): void {
    const now = this.now();
    // Rounded up: a timer that fires a fraction early would only have to be set again.
    const delayMs = Math.min(Math.max(Math.ceil(timeMs - now), 1), LONGEST_TIMER_MS);
    this.#timerAtMs = timeMs;
    this.#timer = setTimeout(this.#fire, delayMs);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
