// The first byte of a packet decides much: type and flags, and so what this side may be sent at all. One table for each
// side and version answers before anything is buffered. MQTT 5.0 sections 2.1.2 and 2.1.3, 3.1.1 section 2.2.
import { MalformedPacketError, ProtocolError } from "./errors.ts";
import type { PacketError } from "./errors.ts";
import { hex, packetName, PacketType } from "./protocol.ts";
import type { ProtocolVersion, Side } from "./protocol.ts";

const { CONNECT, CONNACK, PUBLISH, PUBREL, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK } = PacketType;
const { PINGREQ, PINGRESP, DISCONNECT, AUTH } = PacketType;

const ONLY_TO_SERVER: readonly number[] = [CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ];
const ONLY_TO_CLIENT: readonly number[] = [CONNACK, SUBACK, UNSUBACK, PINGRESP];

/**
 * What is wrong with a packet that begins with `firstByte`, or undefined.
 *
 * @param version undefined while a server waits for CONNECT: nothing else is legal then - 5.0 [MQTT-3.1.0-1].
 */
export function firstByteError(
  firstByte: number,
  side: Side,
  version: ProtocolVersion | undefined,
): PacketError | undefined {
  const type = firstByte >> 4;
  const shown = `${packetName(type)} (${hex(firstByte)})`;
  if (type === 0 || (type === AUTH && version !== 5 && version !== undefined)) {
    return new MalformedPacketError(`${shown} is not a packet of this protocol version`);
  }
  if (!flagsAreLegal(type, firstByte & 0x0f, version)) {
    return new MalformedPacketError(`the flags of ${shown} are wrong`);
  }
  if (version === undefined && type !== CONNECT) {
    return new ProtocolError(`${shown} came first; CONNECT expected`);
  }
  if (side === "client" && type === DISCONNECT && version !== 5) {
    return new ProtocolError("DISCONNECT from a server, which has none before 5.0");
  }
  const wrongWay = side === "server" ? ONLY_TO_CLIENT : ONLY_TO_SERVER;
  if (wrongWay.includes(type)) return new ProtocolError(`${shown} was sent to a ${side}`);
  return undefined;
}

// 5.0 [MQTT-2.1.3-1], 3.1.1 [MQTT-2.2.2-2]
function flagsAreLegal(type: number, flags: number, version: ProtocolVersion | undefined): boolean {
  switch (type) {
    case PUBLISH: {
      const qos = (flags >> 1) & 3;
      // QoS 3: 5.0 [MQTT-3.3.1-4]. DUP at QoS 0: 5.0 [MQTT-3.3.1-2], 3.1.1 [MQTT-3.3.1-2]; 3.1 does not forbid it.
      return qos !== 3 && (flags < 8 || qos !== 0 || version === 3);
    }
    case PUBREL:
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      // 3.1 sets DUP when it repeats these.
      return flags === 2 || (version === 3 && flags === 0x0a);
    default:
      return flags === 0;
  }
}

/** By version, 0 for none; those of clients behind those of servers. */
const tables: (Uint8Array | undefined)[] = [];
const CLIENT_TABLES = 8;

/** 256 verdicts for a side and a version: 1 where `firstByteError` finds nothing. Made once each, shared by all readers. */
export function legalFirstBytes(side: Side, version: ProtocolVersion | undefined): Uint8Array {
  const place = (side === "client" ? CLIENT_TABLES : 0) + (version ?? 0);
  let table = tables[place];
  if (table === undefined) {
    table = Uint8Array.from({ length: 256 }, (_, byte) =>
      firstByteError(byte, side, version) === undefined ? 1 : 0,
    );
    tables[place] = table;
  }
  return table;
}
