// When the time of one connection is up: CONNECT has to come within a time, then something every one and a half Keep Alives,
// and what the client showed of itself holds only so long. Says so to the connection, and does not know how it ends.
// MQTT 5.0 sections 3.1.2.10, 4.12; 3.1.1 section 3.1.2.10.

import { ReasonCode } from "@heirloom/codec";
import type { ConnectionState } from "./connection-state.ts";
import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";
import type { ConnectionEnd } from "./wills.ts";

/** A connection, as far as time matters to it. */
export interface TimedConnection {
  readonly context: Context;
  readonly state: ConnectionState;
  /** Whether it is the broker that does not read from the client. */
  readonly isBusy: boolean;
  /** As granted, in seconds; 0 = none. */
  readonly keepAlive: number;
  /** Without a word to the client. */
  end(end: ConnectionEnd, reasonCode: number, reason: string): void;
  fail(reasonCode: number, reason: string): void;
}

export class ConnectionDeadlines {
  readonly #connection: TimedConnection;
  /** Of CONNECT, later of the Keep Alive. */
  readonly #deadline: Deadline;
  /** When what the client showed of itself is not valid any more. */
  #validity: Deadline | undefined;
  #lastReceivedMs = 0;

  /** `elapsedMs` of the time for CONNECT have gone by already. */
  constructor(connection: TimedConnection, elapsedMs: number) {
    const { deadlines, limits, turn } = connection.context;
    this.#connection = connection;
    this.#deadline = new Deadline((nowMs) => this.#passed(nowMs));
    deadlines.set(this.#deadline, turn.nowMs + limits.connectTimeoutMs - elapsedMs);
  }

  /** Something came from the client. */
  received(nowMs: number): void {
    this.#lastReceivedMs = nowMs;
  }

  /** CONNECT was accepted: the Keep Alive begins. */
  accepted(): void {
    this.#restartKeepAlive(this.#connection.context.turn.nowMs);
  }

  /** What the client showed of itself holds for so long, from now on; `undefined` = always. */
  setValidity(validForMs: number | undefined): void {
    const { deadlines, turn } = this.#connection.context;
    if (this.#validity !== undefined) deadlines.clear(this.#validity);
    if (validForMs === undefined) return;
    this.#validity ??= new Deadline(() =>
      this.#connection.fail(ReasonCode.NOT_AUTHORIZED, "what the client showed of itself has expired"),
    );
    deadlines.set(this.#validity, turn.nowMs + validForMs);
  }

  /** Nothing falls due any more. */
  clear(): void {
    const { deadlines } = this.#connection.context;
    deadlines.clear(this.#deadline);
    if (this.#validity !== undefined) deadlines.clear(this.#validity);
  }

  #restartKeepAlive(nowMs: number): void {
    const { context, keepAlive } = this.#connection;
    // 5.0 [MQTT-3.1.2-22]: one and a half times the Keep Alive.
    if (keepAlive === 0) context.deadlines.clear(this.#deadline);
    else context.deadlines.set(this.#deadline, nowMs + keepAlive * 1500);
  }

  #passed(nowMs: number): void {
    const { context, isBusy, keepAlive, state } = this.#connection;
    if (state !== "connected") {
      context.counters.handshakesTimedOut++;
      this.#connection.end(
        "abnormal",
        ReasonCode.MAXIMUM_CONNECT_TIME,
        "no complete CONNECT within the time allowed",
      );
      return;
    }
    // Receiving does not move the deadline: it is looked at when it passes. A client that is not read because it takes nothing
    // is not excused: it has stood still for as long.
    if (isBusy || nowMs - this.#lastReceivedMs < keepAlive * 1500) {
      this.#restartKeepAlive(isBusy ? nowMs : this.#lastReceivedMs);
    } else {
      this.#connection.fail(
        ReasonCode.KEEP_ALIVE_TIMEOUT,
        `nothing received for one and a half times ${keepAlive} seconds`,
      );
    }
  }
}
