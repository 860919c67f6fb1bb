// The states in which a connection is attacked: what was said before the bytes of the input arrive.

import { bytesOf } from "../hex.ts";

export interface Scene {
  readonly name: string;
  /** What an earlier connection of the same client said; it is dropped then. */
  readonly before: readonly Uint8Array[];
  /** What the witness publishes while the client is away. */
  readonly missed: readonly Uint8Array[];
  /** What the attacked connection has said itself. */
  readonly said: readonly Uint8Array[];
  /** What the witness publishes then. */
  readonly delivered: readonly Uint8Array[];
}

const CONNECT_3_1 = bytesOf(`10 11 0006"MQIsdp" 03 02 003c 0003"dev"`);
const CONNECT_3_1_1 = bytesOf(`10 0f 0004"MQTT" 04 02 003c 0003"dev"`);
const RESUME_3_1_1 = bytesOf(`10 0f 0004"MQTT" 04 00 003c 0003"dev"`);
/** With a will of QoS 1, retained, with a delay; aliases; a small Maximum Packet Size; no reasons wanted. */
const CONNECT_5 = bytesOf(
  `10 30 0004"MQTT" 05 2e 003c 0d 1700 220002 2700000100 210004 0003"dev" 05 1800000001 0006"w/ill/" 0003"bye"`,
);
const RESUME_5 = bytesOf(`10 18 0004"MQTT" 05 00 003c 08 1100000e10 210002 0003"dev"`);
const CONNECT_AUTH = bytesOf(`10 14 0004"MQTT" 05 02 0000 04 150001"m" 0003"dev"`);
/** The method takes "=" for the right answer. */
const CONNECT_AUTHENTICATED = bytesOf(`10 18 0004"MQTT" 05 02 0000 08 150001"m" 160001"=" 0003"dev"`);
const SUBSCRIBE_3 = bytesOf(`82 08 0001 0003"a/#" 02`);
const SUBSCRIBE_5 = bytesOf(`82 0b 0001 02 0b07 0003"a/#" 02 82 12 0002 00 000c"$share/g/a/#" 01`);
const PUBLISH_QOS_2_3 = bytesOf(`34 08 0003"b/c" 0001 "x"`);
const PUBLISH_QOS_2_5 = bytesOf(`34 09 0003"b/c" 0001 00 "x"`);
/** The witness speaks 5.0. */
const PUBLISH_TO_ALL = [
  bytesOf(`32 0b 0003"a/b" 0065 00 "one"`),
  bytesOf(`34 0b 0003"a/b" 0066 00 "two" 62 02 0066`),
  bytesOf(`30 0b 0003"a/c" 00 "three"`),
] as const;

function scene(name: string, parts: Partial<Omit<Scene, "name">>): Scene {
  return { name, before: [], missed: [], said: [], delivered: [], ...parts };
}

/** The first byte of an input picks one. */
export const SCENES: readonly Scene[] = [
  scene("before CONNECT", {}),
  scene("connected, 3.1", { said: [CONNECT_3_1] }),
  scene("connected, 3.1.1", { said: [CONNECT_3_1_1, SUBSCRIBE_3] }),
  scene("connected, 5.0", { said: [CONNECT_5, SUBSCRIBE_5] }),
  scene("authenticating", { said: [CONNECT_AUTH] }),
  scene("authenticated", { said: [CONNECT_AUTHENTICATED, SUBSCRIBE_5] }),
  scene("in QoS 2 both ways, 3.1.1", {
    said: [RESUME_3_1_1, SUBSCRIBE_3, PUBLISH_QOS_2_3],
    delivered: PUBLISH_TO_ALL,
  }),
  scene("in QoS 2 both ways, 5.0", {
    said: [RESUME_5, SUBSCRIBE_5, PUBLISH_QOS_2_5],
    delivered: PUBLISH_TO_ALL,
  }),
  scene("resumed, 3.1.1", {
    before: [RESUME_3_1_1, SUBSCRIBE_3, PUBLISH_QOS_2_3],
    missed: PUBLISH_TO_ALL,
    said: [RESUME_3_1_1],
  }),
  scene("resumed, 5.0", {
    before: [RESUME_5, SUBSCRIBE_5, PUBLISH_QOS_2_5],
    missed: PUBLISH_TO_ALL,
    said: [RESUME_5],
    delivered: PUBLISH_TO_ALL,
  }),
  scene("before CONNECT, with a session there", {
    before: [RESUME_5, SUBSCRIBE_5, PUBLISH_QOS_2_5],
    missed: PUBLISH_TO_ALL,
  }),
];
