// All network connections of a broker that have not ended. Those that have not said CONNECT are bounded apart, so that they
// do not keep clients out.

import { ReasonCode } from "@heirloom/codec";
import { Connection, type ConnectionHost } from "./connection.ts";
import type { Context } from "./context.ts";
import type { Counters } from "./counters.ts";
import type { Limits, Listener } from "./limits.ts";
import type { Transport } from "./ports/transport.ts";
import { Rates, type SharedRates } from "./publish-rates.ts";

export class ConnectionTable implements Iterable<Connection> {
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #open = new Set<Connection>();
  /** Those of them whose CONNECT was not accepted yet, the oldest first. */
  readonly #pending = new Set<Connection>();
  readonly #ratesOf = new WeakMap<Listener, SharedRates>();

  constructor(limits: Limits, counters: Counters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#open[Symbol.iterator]();
  }

  /** Connections whose CONNECT was accepted. */
  get connectedCount(): number {
    return this.#open.size - this.#pending.size;
  }

  /** Makes the connection for a transport. It says to `host` what becomes of it. */
  open(context: Context, host: ConnectionHost, transport: Transport, listener: Listener): Connection {
    this.#counters.connectionsAccepted++;
    if (this.#pending.size >= this.#limits.pendingConnections) this.#dropOldestPending();
    const sharedRates = this.#sharedRates(listener, context.turn.nowMs);
    const connection = new Connection(context, host, transport, listener, sharedRates);
    this.#open.add(connection);
    this.#pending.add(connection);
    this.#counters.connectionsOpen = this.#open.size;
    return connection;
  }

  /** Its CONNECT was accepted. */
  connected(connection: Connection): void {
    this.#pending.delete(connection);
  }

  ended(connection: Connection): void {
    this.#open.delete(connection);
    this.#pending.delete(connection);
    this.#counters.connectionsOpen = this.#open.size;
  }

  /** Who means to connect says so at once: the oldest handshake is the likeliest to be none. */
  #dropOldestPending(): void {
    for (const oldest of this.#pending) {
      this.#counters.handshakesDropped++;
      oldest.disconnect(ReasonCode.SERVER_BUSY, "too many connections have not said CONNECT");
      // Not ended in order: that would keep its socket for a while longer.
      oldest.transport.destroy();
      return;
    }
  }

  #sharedRates(listener: Listener, nowMs: number): SharedRates {
    let rates = this.#ratesOf.get(listener);
    if (rates === undefined) {
      rates = Rates.shared(listener, nowMs);
      this.#ratesOf.set(listener, rates);
    }
    return rates;
  }
}
