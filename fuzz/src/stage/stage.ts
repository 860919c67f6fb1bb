// The broker on which connections are attacked, one after the other: in memory, under virtual time, with a witness that
// stays. What one attack leaves is cleared away for the next, by what clients can do, and looked at then.

import { encodePacket, PacketType, ReasonCode } from "@heirloom/codec";
import { type AuthExchange, type AuthMethod, type AuthStep, Broker, type Limits } from "@heirloom/core";
import { MemoryWorld } from "@heirloom/core/testing";
import { varint } from "../frames.ts";
import { bytesOf } from "../hex.ts";
import { holds } from "../target.ts";
import { Peer } from "./peer.ts";
import { StageStore } from "./stage-store.ts";

/** Small, so that a short input reaches them. */
const LIMITS: Partial<Limits> = {
  maximumPacketSize: 8_192,
  receiveMaximum: 4,
  topicAliasMaximum: 4,
  topicLevels: 16,
  outputBytes: 16_384,
  cleanQueueMessages: 64,
  queueMessages: 64,
  subscriptionsPerSession: 8,
  retainedMessages: 8,
};
const START_MS = 1_893_456_000_000;
/** What a broker puts off is done by then: lazy commits, and the sweep of the logs. */
const PUT_OFF_SECONDS = 1.2;
/** Microtasks without a turn after which promises are taken to have ended. */
const QUIET_ROUNDS = 32;

const WITNESS_ID = "witness-5d0e7a1";
const WITNESS_CONNECT = bytesOf(`10 1c 0004"MQTT" 05 02 0000 00 000f"${WITNESS_ID}"`);
const WITNESS_SUBSCRIBE = bytesOf(`82 16 0001 00 0010"witness-5d0e7a/1" 01`);
const WITNESS_PUBLISH = bytesOf(`32 19 0010"witness-5d0e7a/1" 0001 00 "seen" c0 00`);
const DISCONNECT = bytesOf("e0 00");

export class Stage {
  readonly broker: Broker;
  readonly witness: Peer;
  readonly #world: MemoryWorld = new MemoryWorld(START_MS);
  readonly #store: StageStore;
  readonly #peers: Peer[] = [];
  #failure: Error | undefined;
  /** Something was begun that ends some promises later. */
  #isInPromises = false;
  #usedPromises = false;

  /** Use {@link open}. */
  constructor() {
    const inPromises = (): void => void (this.#isInPromises = true);
    this.#store = new StageStore(inPromises);
    this.broker = new Broker({
      store: this.#store,
      world: this.#world,
      limits: LIMITS,
      hooks: { authMethods: new Map([["m", methodOf(inPromises)]]) },
      storeFailed: (error) => (this.#failure = error),
    });
    this.witness = new Peer(this.broker, "witness", inPromises);
  }

  static async open(): Promise<Stage> {
    const stage = new Stage();
    await stage.broker.open();
    stage.witness.send(WITNESS_CONNECT);
    stage.witness.send(WITNESS_SUBSCRIBE);
    await stage.settle();
    return stage;
  }

  /** Whether something happened in promises since the last call, beside commits. */
  takeUsedPromises(): boolean {
    const used = this.#usedPromises;
    this.#usedPromises = false;
    return used;
  }

  /** A new network connection. It ends with the attack. */
  connect(name: string): Peer {
    const peer = new Peer(this.broker, name, () => void (this.#isInPromises = true));
    this.#peers.push(peer);
    return peer;
  }

  /** Lets everything happen that can happen without time. */
  async settle(): Promise<void> {
    for (let quietRounds = 0; ;) {
      if (this.#world.takeTurnRequest()) {
        this.broker.endTurn();
        quietRounds = 0;
      } else if (this.#store.commitsUnderWay === 0) {
        if (!this.#isInPromises || quietRounds === QUIET_ROUNDS) break;
        quietRounds++;
        await Promise.resolve();
      } else {
        await Promise.resolve();
      }
    }
    this.#usedPromises ||= this.#isInPromises;
    this.#isInPromises = false;
  }

  /** Moves time forward, from deadline to deadline. */
  async advance(seconds: number): Promise<void> {
    const endMs = this.#world.now() + seconds * 1000;
    await this.settle();
    for (;;) {
      const nextMs = this.#world.nextWakeMs;
      if (nextMs === undefined || nextMs > endMs) break;
      this.#world.moveTo(nextMs);
      this.#world.wakeAt(undefined);
      this.broker.wake();
      await this.settle();
    }
    this.#world.moveTo(endMs);
  }

  /** The witness publishes, and gets what it has subscribed to. */
  async askWitness(): Promise<void> {
    const { witness } = this;
    const { judge } = witness;
    judge.payloads.length = 0;
    witness.send(WITNESS_PUBLISH);
    await this.settle();
    holds(!witness.isEnded, () => "the witness was disconnected");
    judge.finish(false);
    const { payloads, lastPacketId } = judge;
    holds(
      payloads.length === 1 && payloads[0] === "seen",
      () => `the witness got ${JSON.stringify(payloads)}`,
    );
    witness.send(Uint8Array.of(0x40, 2, lastPacketId >> 8, lastPacketId & 0xff));
    this.#checkStore();
  }

  // --- between attacks -------------------------------------------------------------------------------------------

  /**
   * Ends what the attack has left, as clients can.
   *
   * @throws Finding when something stays.
   */
  async clear(): Promise<void> {
    const { counters } = this.broker;
    for (const peer of this.#peers) peer.drop();
    this.#peers.length = 0;
    await this.settle();
    if (counters.sessions > 1) await this.#endSessions();
    if (counters.retained > 0) {
      // Whatever has a short life, and wills.
      await this.advance(PUT_OFF_SECONDS);
      await this.#removeRetained();
    }
    if (counters.logs > 0) await this.advance(PUT_OFF_SECONDS);
    this.#checkCleared();
  }

  async #endSessions(): Promise<void> {
    for (const clientId of [...this.#store.clientIds]) {
      const connect = {
        type: PacketType.CONNECT,
        protocolVersion: 4,
        clientId,
        cleanStart: true,
        keepAlive: 0,
        properties: {},
      } as const;
      const peer = new Peer(this.broker, "heir", () => undefined);
      peer.send(encodePacket(connect, 4));
      peer.send(DISCONNECT);
    }
    await this.settle();
  }

  async #removeRetained(): Promise<void> {
    for (const topicName of this.#store.retainedTopics) {
      const topic = Buffer.from(topicName);
      const head = [0x31, ...varint(topic.length + 3), topic.length >> 8, topic.length & 0xff];
      this.witness.send(Uint8Array.from([...head, ...topic, 0]));
    }
    await this.settle();
  }

  #checkCleared(): void {
    const { counters, deadlineCount } = this.broker;
    const { connectionsOpen, sessions, subscriptions, retained, logs, outputBytes } = counters;
    holds(connectionsOpen === 1, () => `${connectionsOpen - 1} connections stay`);
    holds(sessions === 1, () => `${sessions - 1} sessions stay`);
    holds(subscriptions === 1, () => `${subscriptions - 1} subscriptions stay`);
    holds(retained === 0, () => `${retained} retained messages stay`);
    holds(logs === 0, () => `${logs} logs stay`);
    holds(outputBytes === 0, () => `${outputBytes} bytes stay for sockets`);
    // One is the sweep of the logs.
    holds(deadlineCount === 1, () => `${deadlineCount - 1} deadlines stay`);
  }

  /** Stops the broker; the stage is of no use then. */
  async close(): Promise<void> {
    const stopping = this.broker.stop();
    await this.settle();
    await stopping;
    holds(this.witness.isEnded, () => "a connection outlives the broker");
    this.#checkStore();
  }

  #checkStore(): void {
    holds(this.#failure === undefined, () => `the store failed: ${String(this.#failure)}`);
  }
}

/** "=" is the right answer, "!" a wrong one; anything else is asked again. */
function methodOf(asked: () => void): AuthMethod {
  return {
    start: (): AuthExchange => ({
      step: async (data): Promise<AuthStep> => {
        asked();
        if (data?.[0] === 0x3d) return { outcome: "success" };
        if (data?.[0] !== 0x21) return { outcome: "continue", data: Uint8Array.of(0x3f) };
        return { outcome: "refuse", reasonCode: ReasonCode.NOT_AUTHORIZED };
      },
    }),
  };
}
