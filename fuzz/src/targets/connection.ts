// A whole connection against the real broker, in each state: whatever bytes come, nothing is thrown, what the broker sends
// is legal and answers what was asked, its memory stays in bounds, and an innocent client beside it is served.
//
//   input: | scene | way of playing | bytes of the client ... |

import { ReasonCode } from "@heirloom/codec";
import type { AuthExchange, AuthMethod, AuthStep, Hooks, Limits } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { PACKETS } from "../dictionary.ts";
import { bytesOf } from "../hex.ts";
import { Finding, holds, type Target } from "../target.ts";
import { Peer } from "./peer.ts";
import { type Scene, SCENES } from "./scenes.ts";

/** Bits of the second byte. */
const SLICED = 1;
const IN_TURNS = 2;
const STUCK = 4;
const TIME_PASSES = 8;
const DROPPED = 16;
/** Both bits, and only for who takes nothing: it is dear. */
const FLOODED = 32 | 128 | STUCK;
const BROKER_STOPS = 64;

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
/** What may wait for a client that takes nothing: the limit for QoS 0, the one for QoS 1 and 2, and a last packet. */
const WAITING_BYTES = 16_384 + 262_144 + 2 * 8_192;
const FLOOD_MESSAGES = 96;
const FLOOD = bytesOf(`32 8f3e 0003"a/b" 0067 00 ${"66".repeat(7_943)}`);
const FLOOD_QOS_0 = bytesOf(`30 8d3e 0003"a/b" 00 ${"66".repeat(7_943)}`);

const WITNESS_CONNECT = bytesOf(`10 1c 0004"MQTT" 05 02 0000 00 000f"witness-5d0e7a1"`);
const WITNESS_SUBSCRIBE = bytesOf(`82 16 0001 00 0010"witness-5d0e7a/1" 01`);
const WITNESS_PUBLISH = bytesOf(`32 19 0010"witness-5d0e7a/1" 0001 00 "seen" c0 00`);

/** "=" is the right answer, "!" a wrong one; anything else is asked again. */
const METHOD: AuthMethod = {
  start: (): AuthExchange => ({
    step: async (data): Promise<AuthStep> => {
      if (data?.[0] === 0x3d) return { outcome: "success" };
      if (data?.[0] !== 0x21) return { outcome: "continue", data: Uint8Array.of(0x3f) };
      return { outcome: "refuse", reasonCode: ReasonCode.NOT_AUTHORIZED };
    },
  }),
};
const HOOKS: Hooks = { authMethods: new Map([["m", METHOD]]) };

export function connectionTarget(): Target {
  let rejected: unknown;
  process.on("unhandledRejection", (reason) => {
    rejected = reason;
  });
  return {
    name: "connection",
    headerBytes: 2,
    maximumLength: 768,
    seeds: SCENES.flatMap((_, scene) => PACKETS.map((packet) => Uint8Array.of(scene, 0, ...packet))),
    run: async (input) => {
      rejected = undefined;
      await play(input);
      // Node tells of rejections only when all microtasks are done.
      await new Promise((resolve) => setImmediate(resolve));
      if (rejected !== undefined) throw new Finding(`unhandled: ${stackOf(rejected)}`);
    },
  };
}

async function play(input: Uint8Array): Promise<void> {
  const scene = SCENES[(input[0] ?? 0) % SCENES.length];
  if (scene === undefined) return;
  const how = input[1] ?? 0;
  const memory = await MemoryBroker.start({ limits: LIMITS, hooks: HOOKS });
  const witness = new Peer(memory.broker, "witness");
  witness.send(WITNESS_CONNECT);
  witness.send(WITNESS_SUBSCRIBE);
  await memory.settle();
  const peer = await setUp(memory, scene, witness);
  peer.isStuck = (how & STUCK) !== 0;
  await attack(memory, peer, input.subarray(2), how);
  if ((how & FLOODED) === FLOODED) await flood(memory, peer, witness);
  if ((how & TIME_PASSES) !== 0) await memory.advance(3);
  await finish(memory, peer, how);
  await askWitness(memory, witness);
  if ((how & BROKER_STOPS) !== 0) {
    await memory.stop();
    holds(witness.isEnded, () => "a connection outlives the broker");
  }
  holds(memory.failure === undefined, () => `the store failed: ${String(memory.failure)}`);
}

async function setUp(memory: MemoryBroker, scene: Scene, witness: Peer): Promise<Peer> {
  const { broker } = memory;
  if (scene.before.length > 0) {
    const earlier = new Peer(broker, "earlier");
    for (const bytes of scene.before) earlier.send(bytes);
    await memory.settle();
    earlier.drop();
    for (const bytes of scene.missed) witness.send(bytes);
    await memory.settle();
  }
  const peer = new Peer(broker, "peer");
  for (const bytes of scene.said) peer.send(bytes);
  if (scene.said.length > 0) await memory.settle();
  for (const bytes of scene.delivered) witness.send(bytes);
  if (scene.delivered.length > 0) await memory.settle();
  holds(!peer.isEnded && !witness.isEnded, () => `the scene "${scene.name}" is refused`);
  return peer;
}

async function attack(memory: MemoryBroker, peer: Peer, bytes: Uint8Array, how: number): Promise<void> {
  const size = (how & SLICED) === 0 ? bytes.length : 1 + ((bytes[0] ?? 0) & 15);
  for (let start = 0; start < bytes.length; start += size) {
    peer.send(bytes.slice(start, start + size));
    if ((how & IN_TURNS) !== 0) await memory.settle();
  }
  await memory.settle();
}

/** More messages to everyone than anyone may keep waiting. */
async function flood(memory: MemoryBroker, peer: Peer, witness: Peer): Promise<void> {
  for (let sent = 0; sent < FLOOD_MESSAGES; sent++) {
    witness.send(sent % 2 === 0 ? FLOOD : FLOOD_QOS_0);
    if (sent % 8 === 7) await memory.settle();
  }
  const waiting = peer.bufferedBytes + peer.connection.output.length;
  holds(waiting <= WAITING_BYTES, () => `${waiting} bytes wait for a client that takes nothing`);
}

async function finish(memory: MemoryBroker, peer: Peer, how: number): Promise<void> {
  if (peer.isStuck) peer.unstick();
  await memory.settle();
  const isEnded = peer.isEnded;
  if ((how & DROPPED) !== 0 && !isEnded) {
    peer.drop();
    await memory.settle();
  }
  peer.judge.finish(isEnded);
}

async function askWitness(memory: MemoryBroker, witness: Peer): Promise<void> {
  const seen = witness.judge.payloads.length;
  witness.send(WITNESS_PUBLISH);
  await memory.settle();
  holds(!witness.isEnded, () => "the witness was disconnected");
  witness.judge.finish(false);
  const payloads = witness.judge.payloads.slice(seen);
  holds(payloads.length === 1 && payloads[0] === "seen", () => `the witness got ${JSON.stringify(payloads)}`);
}

function stackOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
}
