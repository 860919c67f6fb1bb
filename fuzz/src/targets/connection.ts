// A whole connection against the real broker, in each state: whatever bytes come, nothing is thrown, what the broker sends
// is legal and answers what was asked, its memory stays in bounds, an innocent client beside it is served, and nothing of
// it stays behind.
//
//   input: | scene | way of playing | bytes of the client ... |

import { PACKETS } from "../dictionary.ts";
import { bytesOf } from "../hex.ts";
import { Rejections } from "../rejections.ts";
import type { Peer } from "../stage/peer.ts";
import { type Scene, SCENES } from "../stage/scenes.ts";
import { Stage } from "../stage/stage.ts";
import { holds, type Target } from "../target.ts";

/** Bits of the second byte. */
const SLICED = 1;
const IN_TURNS = 2;
const STUCK = 4;
const TIME_PASSES = 8;
const DROPPED = 16;
/** Values of its three highest bits. Both are dear, so that only inputs of some lengths get them. */
const BROKER_STOPS = 6;
const FLOODED = 7;
const DEAR_ONE_IN = 8;

const MAX_SLICES = 24;

/** What may wait for a client that takes nothing: the limit for QoS 0, the one for QoS 1 and 2, and a last packet. */
const WAITING_BYTES = 16_384 + 262_144 + 2 * 8_192;
const FLOOD_MESSAGES = 96;
const FLOOD = bytesOf(`32 8f3e 0003"a/b" 0067 00 ${"66".repeat(7_943)}`);
const FLOOD_QOS_0 = bytesOf(`30 8d3e 0003"a/b" 00 ${"66".repeat(7_943)}`);

export function makeTarget(): Target {
  const rejections = new Rejections();
  let stage: Stage | undefined;
  return {
    name: "connection",
    headerBytes: 2,
    maximumLength: 768,
    seeds: SCENES.flatMap((_, scene) => PACKETS.map((packet) => Uint8Array.of(scene, 0, ...packet))),
    run: async (input) => {
      const ground = stage ?? (await Stage.open());
      stage = undefined;
      const goesOn = await play(ground, input);
      if (ground.takeUsedPromises()) await rejections.check();
      if (goesOn) stage = ground;
    },
    renew: async () => {
      const ground = stage;
      stage = undefined;
      await ground?.close();
      await rejections.check();
    },
  };
}

/** @returns whether the stage can be played on again. */
async function play(stage: Stage, input: Uint8Array): Promise<boolean> {
  const scene = SCENES[(input[0] ?? 0) % SCENES.length];
  if (scene === undefined) return true;
  const how = input[1] ?? 0;
  const dear = input.length % DEAR_ONE_IN === 0 ? how >> 5 : 0;
  const peer = await setUp(stage, scene);
  peer.isStuck = (how & STUCK) !== 0 || dear === FLOODED;
  await attack(stage, peer, input.subarray(2), how);
  if (dear === FLOODED) await flood(stage, peer);
  if ((how & TIME_PASSES) !== 0) await stage.advance(3);
  await finish(stage, peer, how);
  await stage.askWitness();
  if (dear === BROKER_STOPS) await stage.close();
  else await stage.clear();
  return dear !== BROKER_STOPS;
}

async function setUp(stage: Stage, scene: Scene): Promise<Peer> {
  const { witness } = stage;
  if (scene.before.length > 0) {
    const earlier = stage.connect("earlier");
    for (const bytes of scene.before) earlier.send(bytes);
    await stage.settle();
    earlier.drop();
    for (const bytes of scene.missed) witness.send(bytes);
    await stage.settle();
  }
  const peer = stage.connect("peer");
  for (const bytes of scene.said) peer.send(bytes);
  if (scene.said.length > 0) await stage.settle();
  for (const bytes of scene.delivered) witness.send(bytes);
  if (scene.delivered.length > 0) await stage.settle();
  holds(!peer.isEnded && !witness.isEnded, () => `the scene "${scene.name}" is refused`);
  return peer;
}

async function attack(stage: Stage, peer: Peer, bytes: Uint8Array, how: number): Promise<void> {
  const sliceBytes = Math.max(1 + ((bytes[0] ?? 0) & 15), Math.ceil(bytes.length / MAX_SLICES));
  const size = (how & SLICED) === 0 ? bytes.length : sliceBytes;
  for (let start = 0; start < bytes.length; start += size) {
    peer.send(bytes.slice(start, start + size));
    if ((how & IN_TURNS) !== 0) await stage.settle();
  }
  await stage.settle();
}

/** More messages to everyone than anyone may keep waiting. */
async function flood(stage: Stage, peer: Peer): Promise<void> {
  for (let sent = 0; sent < FLOOD_MESSAGES; sent++) {
    stage.witness.send(sent % 2 === 0 ? FLOOD : FLOOD_QOS_0);
    if (sent % 8 === 7) await stage.settle();
  }
  const waiting = peer.bufferedBytes + peer.connection.output.length;
  holds(waiting <= WAITING_BYTES, () => `${waiting} bytes wait for a client that takes nothing`);
}

async function finish(stage: Stage, peer: Peer, how: number): Promise<void> {
  if (peer.isStuck) peer.unstick();
  await stage.settle();
  const { isEnded } = peer;
  if ((how & DROPPED) !== 0 && !isEnded) {
    peer.drop();
    await stage.settle();
  }
  peer.judge.finish(isEnded);
}
