// Sessions and shared groups that may be able to send more: they are asked once, at the end of the turn, however many
// acknowledgements the turn brought them.

export interface Pumpable {
  /** Whether it waits to be asked. Owned by {@link PumpQueue}. */
  isPumpWanted: boolean;
  /** Sends what it can. */
  pump(): void;
}

export class PumpQueue {
  #queue: Pumpable[] = [];
  readonly #requestTurn: () => void;

  constructor(requestTurn: () => void) {
    this.#requestTurn = requestTurn;
  }

  add(pumpable: Pumpable): void {
    if (pumpable.isPumpWanted) return;
    pumpable.isPumpWanted = true;
    if (this.#queue.push(pumpable) === 1) this.#requestTurn();
  }

  /** Asks all that were added up to now; those that are added meanwhile wait for the next turn. */
  run(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    for (const pumpable of queue) {
      pumpable.isPumpWanted = false;
      pumpable.pump();
    }
  }
}
