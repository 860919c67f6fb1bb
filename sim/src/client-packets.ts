// The packets that a simulated client makes of its plan: CONNECT with a will, SUBSCRIBE, DISCONNECT. Clients before 5.0 say nothing
// that only 5.0 knows.

import { type Connect, type Disconnect, PacketType, type Subscribe, type Will } from "@heirloom/codec";
import type { ClientPlan, FilterPlan, Leave, WillPlan } from "./plan.ts";

/** What CONNECT and CONNACK need not say. */
export const RECEIVE_MAXIMUM_NOT_SAID = 65_535;
const NO_BYTES = new Uint8Array(0);

/** Payload and properties of the will are empty as yet. */
export function connectPacket(plan: ClientPlan, cleanStart: boolean, will: WillPlan | undefined): Connect {
  const { clientId, version, expiryInterval, keepAlive } = plan;
  return {
    type: PacketType.CONNECT,
    protocolVersion: version,
    clientId,
    cleanStart: version === 5 ? cleanStart : expiryInterval === 0 || cleanStart,
    keepAlive,
    properties: version === 5 ? connectProperties(plan) : {},
    ...(will === undefined ? {} : { will: willOf(will) }),
  };
}

function connectProperties(plan: ClientPlan): Connect["properties"] {
  const { expiryInterval, receiveMaximum, maximumPacketSize, topicAliasMaximum } = plan;
  return {
    ...(expiryInterval === 0 ? {} : { sessionExpiryInterval: expiryInterval }),
    ...(receiveMaximum === RECEIVE_MAXIMUM_NOT_SAID ? {} : { receiveMaximum }),
    ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
    ...(topicAliasMaximum === 0 ? {} : { topicAliasMaximum }),
  };
}

function willOf({ topicName, qos, retain, delayInterval }: WillPlan): Will {
  return {
    topicName,
    payload: NO_BYTES,
    qos,
    retain,
    willDelayInterval: delayInterval,
    messageExpiryInterval: -1,
    forwarded: NO_BYTES,
  };
}

export function subscribePacket(
  { version }: ClientPlan,
  packetId: number,
  filters: readonly FilterPlan[],
  identifier: number,
): Subscribe {
  const isNew = version === 5;
  return {
    type: PacketType.SUBSCRIBE,
    packetId,
    subscriptions: filters.map((filter) =>
      isNew ? { ...filter } : { ...filter, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ),
    properties: isNew && identifier !== 0 ? { subscriptionIdentifier: identifier } : {},
  };
}

export function disconnectPacket({ version, expiryInterval }: ClientPlan, how: Leave): Disconnect {
  const endsSession = how === "end-session" && version === 5 && expiryInterval > 0;
  return {
    type: PacketType.DISCONNECT,
    reasonCode: how === "disconnect-with-will" && version === 5 ? 0x04 : 0,
    properties: endsSession ? { sessionExpiryInterval: 0 } : {},
  };
}
