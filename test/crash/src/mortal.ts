// A client with a will, connected whenever the broker is killed: each of its wills has to be published once.
// MQTT 5.0 section 3.1.2.5.

import type { Packet, Will } from "@heirloom/codec";
import { CrashClient } from "./crash-client.ts";
import type { Ledger, PublisherAccount } from "./ledger.ts";

export class Mortal extends CrashClient {
  readonly #account: PublisherAccount;

  constructor(name: string, ledger: Ledger) {
    super(name, 5, ledger);
    this.#account = ledger.addPublisher(name, 2);
  }

  /** A new will for each connection. */
  protected override will(): Will {
    this.#account.sent++;
    return {
      topicName: `crash/${this.clientId}`,
      payload: Buffer.from(`${this.clientId} ${this.#account.sent}`),
      qos: 2,
      retain: false,
      willDelayInterval: 0,
      messageExpiryInterval: -1,
      forwarded: new Uint8Array(),
    };
  }

  protected override connected(): void {
    // From CONNACK on the broker owes the will.
    this.#account.acknowledged.add(this.#account.sent);
  }

  /** Leaves without a will, at the end of the run. */
  override async leave(): Promise<void> {
    this.#account.acknowledged.delete(this.#account.sent);
    await super.leave();
  }

  protected override received(packet: Packet): void {
    this.ledger.violation(`${this.clientId} got a packet of type ${packet.type}`);
  }
}
