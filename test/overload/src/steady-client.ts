// An ordinary client beside a flood: it publishes to itself at QoS 1, one message after the other, and misses none.

import assert from "node:assert/strict";
import { PacketType } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";

const TOPIC = "steady/client";
/** Milliseconds between a message that came and the next one. */
const PAUSE_MS = 5;
const MOST_PACKET_IDS = 65_535;

/** What it saw. */
export interface Served {
  /** Messages that were published, acknowledged and received, each once and in order. */
  readonly messages: number;
  /** Milliseconds from publishing a message to having it back: the longest, and the one that half were under. */
  readonly longestMs: number;
  readonly medianMs: number;
}

export class SteadyClient {
  readonly #client: WireClient;
  readonly #timesMs: number[] = [];
  readonly #done: Promise<void>;
  #isStopping = false;

  private constructor(client: WireClient) {
    this.#client = client;
    this.#done = this.#run();
    // Looked at in `stop`.
    this.#done.catch(() => undefined);
  }

  static async start(port: number): Promise<SteadyClient> {
    const { client, connack } = await WireClient.connect({ port, clientId: "steady", keepAlive: 30 });
    assert.equal(connack.reasonCode, 0);
    await client.subscribe(TOPIC, 1);
    return new SteadyClient(client);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      await this.#one(this.#timesMs.length);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #one(number: number): Promise<void> {
    const startedMs = performance.now();
    const packetId = (number % MOST_PACKET_IDS) + 1;
    this.#client.publish({ topicName: TOPIC, payload: Buffer.from(String(number)), qos: 1, packetId });
    for (let open = 2; open > 0; open--) {
      const packet = await this.#client.next();
      if (packet.type === PacketType.PUBLISH) {
        assert.equal(Buffer.from(packet.payload).toString(), String(number));
        this.#client.ack(PacketType.PUBACK, packet.packetId);
      } else {
        assert.equal(packet.type, PacketType.PUBACK);
        if ("reasonCode" in packet) assert.equal(packet.reasonCode, 0);
      }
    }
    this.#timesMs.push(performance.now() - startedMs);
  }

  /** Ends it. @throws Error when a message was missing, late by ten seconds, or refused. */
  async stop(): Promise<Served> {
    this.#isStopping = true;
    await this.#done;
    await this.#client.disconnect();
    const sorted = this.#timesMs.toSorted((a, b) => a - b);
    return {
      messages: sorted.length,
      longestMs: sorted.at(-1) ?? 0,
      medianMs: sorted[sorted.length >> 1] ?? 0,
    };
  }
}
