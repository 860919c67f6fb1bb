// How long one enhanced authentication may go on: in AUTH packets, and in time. MQTT 5.0 section 4.12.

import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";

export class AuthenticationLimit {
  readonly #context: Context;
  readonly #time: Deadline;
  #rounds = 0;

  /** `tooLong` is called when a re-authentication takes more than `connectTimeoutMs`. */
  constructor(context: Context, tooLong: () => void) {
    this.#context = context;
    this.#time = new Deadline(tooLong);
  }

  /** An authentication begins. The first one of a connection has what is left of the time for CONNECT. */
  begin(isFirst: boolean): void {
    const { deadlines, turn, limits } = this.#context;
    this.#rounds = 0;
    if (!isFirst) deadlines.set(this.#time, turn.nowMs + limits.connectTimeoutMs);
  }

  /** An AUTH packet came. @returns whether it may go on. */
  take(): boolean {
    this.#rounds++;
    return this.#rounds <= this.#context.limits.authenticationRounds;
  }

  /** It is over, or its connection is. */
  end(): void {
    this.#context.deadlines.clear(this.#time);
  }
}
