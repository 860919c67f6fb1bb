// The broker's world, simulated: virtual time, seeded randomness, turns that come when the schedule says. Like Node's it reads
// the wall clock once, at its start: a jump of the wall clock shows only to the next process.

import type { World } from "@heirloom/core";
import type { Life } from "./life.ts";
import type { Random } from "./random.ts";
import type { Event, Schedule } from "./schedule.ts";

/** What the world calls: the broker. */
export interface Driven {
  endTurn(): void;
  wake(): void;
}

export class SimWorld implements World {
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #life: Life;
  /** By how much the wall clock was ahead of true time when the process started. */
  readonly #aheadMs: number;
  #broker: Driven | undefined;
  #isTurnRequested = false;
  #wake: Event | undefined;

  constructor(schedule: Schedule, random: Random, life: Life, aheadMs: number) {
    this.#aheadMs = aheadMs;
    this.#schedule = schedule;
    this.#random = random;
    this.#life = life;
  }

  drive(broker: Driven): void {
    this.#broker = broker;
  }

  now(): number {
    return this.#schedule.nowMs + this.#aheadMs;
  }

  randomBytes(length: number): Uint8Array {
    return this.#random.bytes(length);
  }

  requestTurn(): void {
    if (this.#isTurnRequested || this.#life.isDead) return;
    this.#isTurnRequested = true;
    // Most turns are short; in a long one much input comes together.
    const delayMs = this.#random.below(16) === 0 ? this.#random.below(40) / 4 : this.#random.below(8) / 16;
    this.#schedule.after(delayMs, () => {
      this.#isTurnRequested = false;
      this.#life.run(() => this.#broker?.endTurn());
    });
  }

  wakeAt(timeMs: number | undefined): void {
    this.#schedule.cancel(this.#wake);
    this.#wake = undefined;
    if (timeMs === undefined || this.#life.isDead) return;
    this.#wake = this.#schedule.at(timeMs - this.#aheadMs, () => this.#life.run(() => this.#broker?.wake()));
  }
}
