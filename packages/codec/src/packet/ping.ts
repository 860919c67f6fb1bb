// PINGREQ and PINGRESP - MQTT 5.0 sections 3.12 and 3.13, 3.1.1 sections 3.12 and 3.13.
//
//   C0 00 and D0 00: there is nothing to read, so each is one frozen object.
import { PacketType } from "../protocol.ts";

export interface Pingreq {
  readonly type: typeof PacketType.PINGREQ;
}

export interface Pingresp {
  readonly type: typeof PacketType.PINGRESP;
}

export const PINGREQ: Pingreq = Object.freeze({ type: PacketType.PINGREQ });
export const PINGRESP: Pingresp = Object.freeze({ type: PacketType.PINGRESP });
