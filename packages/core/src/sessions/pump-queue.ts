// Sessions and shared groups that may be able to send more: they are asked once, at the end of the turn, however many
// acknowledgements the turn brought them.

export interface Pumpable {
  /** Whether it waits to be asked. Owned by {@link PumpQueue}. */
  isPumpWanted: boolean;
  /** Sends what it can. */
  pump(): void;
}

/** Steps of retained messages, of at most 256 each, that one turn gives to all sessions together. */
const REPLAY_STEPS = 64;

export class PumpQueue {
  #queue: Pumpable[] = [];
  /** Those that have to wait for the next turn, in which they are asked first. */
  #postponed: Pumpable[] = [];
  /** Those that wait for the disk. */
  readonly #held = new Set<Pumpable>();
  #replaySteps = 0;
  readonly #requestTurn: () => void;

  constructor(requestTurn: () => void) {
    this.#requestTurn = requestTurn;
  }

  add(pumpable: Pumpable): void {
    if (pumpable.isPumpWanted) return;
    pumpable.isPumpWanted = true;
    if (this.#queue.push(pumpable) === 1) this.#requestTurn();
  }

  /**
   * Whether a session may go a step further with retained messages in this turn. Else it is among the first in the next:
   * `#` over a million topics, for a thousand clients, must not stop the others.
   */
  mayReplay(pumpable: Pumpable): boolean {
    if (this.#replaySteps < REPLAY_STEPS) {
      this.#replaySteps++;
      return true;
    }
    if (!pumpable.isPumpWanted) {
      pumpable.isPumpWanted = true;
      if (this.#postponed.push(pumpable) === 1) this.#requestTurn();
    }
    return false;
  }

  /** It is asked again when a batch is on disk: until then no more may wait to be written. */
  hold(pumpable: Pumpable): void {
    this.#held.add(pumpable);
  }

  /** A batch is on disk. */
  committed(): void {
    for (const pumpable of this.#held) this.add(pumpable);
    this.#held.clear();
  }

  /** Asks all that were added up to now; those that are added meanwhile wait for the next turn. */
  run(): void {
    this.#replaySteps = 0;
    const queue = this.#postponed.length === 0 ? this.#queue : [...this.#postponed, ...this.#queue];
    if (queue.length === 0) return;
    this.#queue = [];
    this.#postponed = [];
    for (const pumpable of queue) {
      pumpable.isPumpWanted = false;
      pumpable.pump();
    }
  }
}
