// What the broker gives up when its process has too much memory, in this order:
//   1 caches   2 new connections   3 QoS 0 to those who have something waiting   4 new messages
//   5 the connections that have most waiting
// It is looked at once a second: each time that there is still too much, the next step is taken; below nine tenths of the
// ceiling, one is taken back.

import { ReasonCode } from "@heirloom/codec";
import type { Counters } from "./counters.ts";
import type { Limits } from "./limits.ts";
import type { Observer } from "./ports/observer.ts";
import type { World } from "./ports/world.ts";

export const MemoryStep = {
  NONE: 0,
  CACHES: 1,
  CONNECTIONS: 2,
  QOS_0: 3,
  MESSAGES: 4,
  GREEDY: 5,
} as const;

/** Below this part of the ceiling a step is taken back. */
const RELIEF = 0.9;
/** Connections that one look ends at most. */
const ENDED_AT_ONCE = 10;
/** A connection with less than this waiting is not worth ending. */
const GREEDY_BYTES = 65_536;

/** A connection, as far as it matters here. */
interface Waiting {
  /** Bytes that its network has not taken. */
  readonly waitingBytes: number;
  disconnect(reasonCode: number, reason: string): void;
}

export interface MemoryCeilingHost {
  readonly limits: Limits;
  readonly counters: Counters;
  readonly world: World;
  readonly observer: Observer;
  readonly connections: Iterable<Waiting>;
  dropCaches(): void;
}

export class MemoryCeiling {
  readonly #host: MemoryCeilingHost;
  #step = 0;

  constructor(host: MemoryCeilingHost) {
    this.#host = host;
  }

  /** Whether this step, one of {@link MemoryStep}, has been taken. */
  isTaken(step: number): boolean {
    return this.#step >= step;
  }

  /** Looks at the memory of the process. */
  look(): void {
    const { limits, world, counters } = this.#host;
    if (limits.memoryBytes === 0 || world.memoryBytes === undefined) return;
    const usedBytes = world.memoryBytes();
    counters.memoryBytes = usedBytes;
    if (usedBytes > limits.memoryBytes) this.#take(Math.min(this.#step + 1, MemoryStep.GREEDY), usedBytes);
    else if (this.#step > 0 && usedBytes < limits.memoryBytes * RELIEF) this.#take(this.#step - 1, usedBytes);
    if (this.#step >= MemoryStep.CACHES) this.#host.dropCaches();
    if (this.#step >= MemoryStep.GREEDY) this.#endGreedy();
  }

  #take(step: number, usedBytes: number): void {
    if (step === this.#step) return;
    this.#step = step;
    this.#host.counters.memoryStep = step;
    this.#host.observer.event("memory", { step, usedBytes, limitBytes: this.#host.limits.memoryBytes });
  }

  #endGreedy(): void {
    const greedy = [...this.#host.connections]
      .filter((connection) => connection.waitingBytes >= GREEDY_BYTES)
      .sort((a, b) => b.waitingBytes - a.waitingBytes);
    for (const connection of greedy.slice(0, ENDED_AT_ONCE)) {
      this.#host.counters.memoryEnded++;
      connection.disconnect(ReasonCode.QUOTA_EXCEEDED, "the server needs the memory");
    }
  }
}
