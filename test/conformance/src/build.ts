// Builds the packets that a client sends, for 3.1, 3.1.1 and 5.0, well formed or wrong on purpose: every field that
// a case may want to break can be given. MQTT 5.0 chapter 3, 3.1.1 chapter 3.
import { type Part, type Text, join, prefixed, u16, utf8, varint } from "./bytes.ts";
import { type Properties, propertyField } from "./properties.ts";

export type Version = "3.1" | "3.1.1" | "5.0";

/** Protocol Name and Protocol Level by version. */
export const protocols: { readonly [V in Version]: { readonly name: string; readonly level: number } } = {
  "3.1": { name: "MQIsdp", level: 3 },
  "3.1.1": { name: "MQTT", level: 4 },
  "5.0": { name: "MQTT", level: 5 },
};

type PropertyInput = Properties | Uint8Array;

/** A packet of any first byte; the Remaining Length is computed. */
export function packet(firstByte: number, ...body: readonly Part[]): Uint8Array {
  const bytes = join(...body);
  return join(firstByte, varint(bytes.length), bytes);
}

function ifFive(version: Version, properties: PropertyInput | undefined): Uint8Array {
  return version === "5.0" ? propertyField(properties) : join();
}

export interface WillFields {
  readonly topic: Text;
  readonly payload?: Text;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly properties?: PropertyInput;
}

export interface ConnectFields {
  readonly version: Version;
  readonly clientId: Text;
  readonly cleanStart?: boolean;
  /** Seconds. */
  readonly keepAlive?: number;
  readonly properties?: PropertyInput;
  readonly will?: WillFields;
  readonly userName?: Text;
  readonly password?: Text;
  /** Replace what the version and the fields would give. */
  readonly name?: Text;
  readonly level?: number;
  readonly flags?: number;
  /** Bytes after the last field. */
  readonly surplus?: Uint8Array;
}

function connectFlags(fields: ConnectFields): number {
  const will = fields.will;
  return (
    (fields.cleanStart === false ? 0 : 0x02) |
    (will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain === true ? 0x20 : 0)) |
    (fields.password === undefined ? 0 : 0x40) |
    (fields.userName === undefined ? 0 : 0x80)
  );
}

export function connect(fields: ConnectFields): Uint8Array {
  const { version, will } = fields;
  const protocol = protocols[version];
  const body: Part[] = [
    prefixed(fields.name ?? protocol.name),
    fields.level ?? protocol.level,
    fields.flags ?? connectFlags(fields),
    u16(fields.keepAlive ?? 60),
    ifFive(version, fields.properties),
    prefixed(fields.clientId),
  ];
  if (will !== undefined) {
    body.push(ifFive(version, will.properties), prefixed(will.topic), prefixed(will.payload ?? "will"));
  }
  if (fields.userName !== undefined) body.push(prefixed(fields.userName));
  if (fields.password !== undefined) body.push(prefixed(fields.password));
  return packet(0x10, ...body, fields.surplus ?? join());
}

export interface PublishFields {
  readonly topic: Text;
  readonly payload?: Text;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** Only at QoS 1 and 2; 1 if nothing is given. */
  readonly packetId?: number;
  readonly properties?: PropertyInput;
}

export function publish(version: Version, fields: PublishFields): Uint8Array {
  const qos = fields.qos ?? 0;
  const flags = (fields.dup === true ? 8 : 0) | (qos << 1) | (fields.retain === true ? 1 : 0);
  return packet(
    0x30 | flags,
    prefixed(fields.topic),
    qos > 0 ? u16(fields.packetId ?? 1) : join(),
    ifFive(version, fields.properties),
    utf8(fields.payload ?? "payload"),
  );
}

export type AckName = "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP";
const ackBytes: { readonly [N in AckName]: number } = {
  PUBACK: 0x40,
  PUBREC: 0x50,
  PUBREL: 0x62,
  PUBCOMP: 0x70,
};

/** The short form without Reason Code unless one is given. */
export function ack(
  name: AckName,
  packetId: number,
  reasonCode?: number,
  properties?: PropertyInput,
): Uint8Array {
  return packet(
    ackBytes[name],
    u16(packetId),
    reasonCode === undefined ? join() : Uint8Array.of(reasonCode),
    properties === undefined ? join() : propertyField(properties),
  );
}

export interface FilterFields {
  readonly filter: Text;
  readonly qos?: number;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: number;
  /** The whole options byte, instead of the fields above. */
  readonly options?: number;
}

function optionsByte(fields: FilterFields): number {
  return (
    fields.options ??
    (fields.qos ?? 0) |
      (fields.noLocal === true ? 4 : 0) |
      (fields.retainAsPublished === true ? 8 : 0) |
      ((fields.retainHandling ?? 0) << 4)
  );
}

export function subscribe(
  version: Version,
  packetId: number,
  filters: readonly FilterFields[],
  properties?: PropertyInput,
): Uint8Array {
  const rows = filters.map((fields) => join(prefixed(fields.filter), optionsByte(fields)));
  return packet(0x82, u16(packetId), ifFive(version, properties), ...rows);
}

export function unsubscribe(
  version: Version,
  packetId: number,
  filters: readonly Text[],
  properties?: PropertyInput,
): Uint8Array {
  return packet(0xa2, u16(packetId), ifFive(version, properties), ...filters.map(prefixed));
}

/** A bare DISCONNECT unless a Reason Code or properties (5.0) are given. */
export function disconnect(reasonCode?: number, properties?: PropertyInput): Uint8Array {
  if (reasonCode === undefined) return packet(0xe0);
  return packet(0xe0, reasonCode, properties === undefined ? join() : propertyField(properties));
}

export function auth(reasonCode: number, properties: PropertyInput): Uint8Array {
  return packet(0xf0, reasonCode, propertyField(properties));
}

export const pingreq: Uint8Array = packet(0xc0);
