// One connection of a client as the model sees it: what its CONNECT said, how it ended, and when the broker may have learned that.

import type { Connect, Disconnect } from "@heirloom/codec";
import type { Link } from "../network.ts";
import type { Range } from "./clock.ts";
import type { ProcessModel } from "./process.ts";

const NEVER = 0xffff_ffff;
/** The broker reads its clock once a turn; what it does counts from the turn's beginning. */
export const TURN_MS = 20;

export interface ConnectionModel {
  readonly link: Link;
  readonly connect: Connect;
  readonly sentMs: number;
  acceptedMs: number | undefined;
  /** A DISCONNECT was sent. */
  disconnect: Disconnect | undefined;
  disconnectedMs: number;
  /** Whether the broker had no other reason to end the connection before. */
  isDisconnectFirst: boolean;
}

/** When it ended at the broker. */
export function endAtBroker({ link }: ConnectionModel, process: ProcessModel): Range {
  const fromMs = Math.min(link.causeMs, link.endedMs ?? Infinity) - TURN_MS;
  return { fromMs, untilMs: process.latestEndMs(link) };
}

/** Seconds that the session outlives its connection, by CONNECT. */
export function expiryOf(connect: Connect): number {
  if (connect.protocolVersion === 5) return connect.properties.sessionExpiryInterval ?? 0;
  return connect.cleanStart ? 0 : NEVER;
}

export function expiryMs(expiryInterval: number): number {
  return expiryInterval === NEVER ? Infinity : expiryInterval * 1000;
}
