// The last inputs that the decoder failed on by a fault of its own, kept for whoever looks for it. Nobody may send such
// bytes to end the broker: only the connection that they came from ends.

/** Inputs that are kept, the last ones. */
const KEPT = 16;

export interface FailedInput {
  /** Broker time, milliseconds since 1970-01-01 UTC. */
  readonly atMs: number;
  readonly remoteAddress: string;
  readonly error: Error;
  /** The beginning of the packet, or of what was read with it. It may hold a payload or a password. */
  readonly bytes: Uint8Array;
}

export class FailedInputs {
  #inputs: readonly FailedInput[] = [];

  get all(): readonly FailedInput[] {
    return this.#inputs;
  }

  add(input: FailedInput): void {
    this.#inputs = [...this.#inputs, input].slice(-KEPT);
  }
}
