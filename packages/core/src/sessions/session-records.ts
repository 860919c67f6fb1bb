// The stored forms of a lasting session: itself with its will, its stretches, what is in flight, what it received.
// Drawn in docs/store-format.md. Each begins with a format number.

import { type QoS, Writer } from "@heirloom/codec";
import { ByteReader } from "../byte-reader.ts";
import { timeOf, writeBinary, writeTime, writeU48, writeVarint } from "../byte-writer.ts";
import type { Cursor } from "../logs/cursor.ts";
import { Message } from "../message.ts";
import type { Sender } from "../qos/sender.ts";
import type { Will } from "../wills.ts";
import type { Place } from "./place.ts";
import type { Stretch } from "./stretch.ts";
import type { Subscription } from "../subscription.ts";

const FORMAT = 1;
const HAS_ACCOUNT = 0x01;
const HAS_WILL = 0x02;
const IS_CONNECTED = 0x04;

// One for all records: what `take` returns is a copy, as long as a record is small.
const scratch = new Writer();

function begin(): Writer {
  scratch.reset();
  scratch.u8(FORMAT);
  return scratch;
}

function open(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT) throw new RangeError(`${what} record of format ${format}, expected ${FORMAT}`);
  return reader;
}

// --- session ---------------------------------------------------------------------------------------------------------

export interface SessionRecord {
  readonly sessionId: number;
  readonly expiryInterval: number;
  /** When it ends; `Infinity` while it was connected or when it never ends. */
  readonly endsAtMs: number;
  readonly isConnected: boolean;
  readonly account: string | undefined;
  readonly will: Will | undefined;
  /** When its will is due; `Infinity` while it was connected. */
  readonly willDueAtMs: number;
}

export function writeSession(session: SessionRecord): Uint8Array {
  const { will, account } = session;
  const writer = begin();
  writer.u32(session.sessionId);
  writer.u32(session.expiryInterval);
  writeTime(writer, session.endsAtMs);
  writer.u8(
    (account === undefined ? 0 : HAS_ACCOUNT) |
      (will === undefined ? 0 : HAS_WILL) |
      (session.isConnected ? IS_CONNECTED : 0),
  );
  if (account !== undefined) writer.string(account);
  if (will !== undefined) {
    writeTime(writer, session.willDueAtMs);
    writeWill(writer, will);
  }
  return writer.take();
}

export function readSession(bytes: Uint8Array): SessionRecord {
  const reader = open(bytes, "session");
  const sessionId = reader.u32();
  const expiryInterval = reader.u32();
  const endsAtMs = timeOf(reader.u48());
  const flags = reader.u8();
  const account = flags & HAS_ACCOUNT ? reader.text() : undefined;
  const willDueAtMs = flags & HAS_WILL ? timeOf(reader.u48()) : Infinity;
  const will = flags & HAS_WILL ? readWill(reader) : undefined;
  return {
    sessionId,
    expiryInterval,
    endsAtMs,
    isConnected: (flags & IS_CONNECTED) !== 0,
    account,
    will,
    willDueAtMs,
  };
}

function writeWill(writer: Writer, will: Will): void {
  const { message } = will;
  writer.u32(will.delayInterval);
  writer.u8(message.qos | (message.retain ? 0x04 : 0) | (will.messageExpiryInterval === -1 ? 0 : 0x08));
  if (will.messageExpiryInterval !== -1) writer.u32(will.messageExpiryInterval);
  writer.string(message.topicName);
  writeBinary(writer, message.forwarded);
  writeBinary(writer, message.source, message.payloadStart, message.payloadEnd);
}

function readWill(reader: ByteReader): Will {
  const delayInterval = reader.u32();
  const flags = reader.u8();
  const messageExpiryInterval = flags & 0x08 ? reader.u32() : -1;
  const topicName = reader.text();
  const forwarded = reader.binary();
  const payload = reader.binary();
  const qos = (flags & 0x03) as QoS;
  const message = Message.of({ topicName, payload, qos, retain: (flags & 0x04) !== 0, forwarded }).own();
  return { message, delayInterval, messageExpiryInterval };
}

/** A will whose time has come and that waits for an answer. */
export interface DueWill {
  readonly will: Will;
  readonly clientId: string;
  readonly account: string | undefined;
  /** When it fell due: its message expiry counts from there. */
  readonly dueAtMs: number;
}

export function writeDueWill({ will, clientId, account, dueAtMs }: DueWill): Uint8Array {
  const writer = begin();
  writeTime(writer, dueAtMs);
  writer.string(clientId);
  writer.u8(account === undefined ? 0 : HAS_ACCOUNT);
  if (account !== undefined) writer.string(account);
  writeWill(writer, will);
  return writer.take();
}

export function readDueWill(bytes: Uint8Array): DueWill {
  const reader = open(bytes, "will");
  const dueAtMs = timeOf(reader.u48());
  const clientId = reader.text();
  const account = reader.u8() & HAS_ACCOUNT ? reader.text() : undefined;
  return { will: readWill(reader), clientId, account, dueAtMs };
}

// --- subscription ----------------------------------------------------------------------------------------------------

export interface StretchRecord {
  readonly subscription: Subscription;
  readonly cursor:
    | {
        readonly logId: number;
        readonly next: number;
        readonly nextBytes: number;
        readonly end: number;
        readonly fromSequence: number;
        readonly untilSequence: number;
      }
    | undefined;
  /** Whether the subscription stands; false for a shared one that ended and is still in flight. */
  readonly isOpen: boolean;
}

export function writeStretch({ subscription, cursor }: Stretch, isOpen: boolean): Uint8Array {
  const writer = begin();
  writer.string(subscription.topicFilter);
  writer.u8(
    subscription.qos |
      (subscription.noLocal ? 0x04 : 0) |
      (subscription.retainAsPublished ? 0x08 : 0) |
      (subscription.retainHandling << 4) |
      (isOpen ? 0x40 : 0) |
      (cursor === undefined ? 0 : 0x80),
  );
  writeVarint(writer, subscription.subscriptionIdentifier);
  if (cursor !== undefined) {
    writer.u32(cursor.log.logId);
    writeU48(writer, cursor.next);
    writeU48(writer, cursor.nextBytes);
    writeTime(writer, cursor.end);
    writeU48(writer, cursor.fromSequence);
    writeTime(writer, cursor.untilSequence);
  }
  return writer.take();
}

export function readStretch(bytes: Uint8Array): StretchRecord {
  const reader = open(bytes, "subscription");
  const topicFilter = reader.text();
  const flags = reader.u8();
  const subscription: Subscription = {
    topicFilter,
    qos: (flags & 0x03) as QoS,
    noLocal: (flags & 0x04) !== 0,
    retainAsPublished: (flags & 0x08) !== 0,
    retainHandling: ((flags >> 4) & 0x03) as 0 | 1 | 2,
    subscriptionIdentifier: reader.varint(),
  };
  const isOpen = (flags & 0x40) !== 0;
  if ((flags & 0x80) === 0) return { subscription, cursor: undefined, isOpen };
  const logId = reader.u32();
  const next = reader.u48();
  const nextBytes = reader.u48();
  const end = timeOf(reader.u48());
  const fromSequence = reader.u48();
  const untilSequence = timeOf(reader.u48());
  return { subscription, isOpen, cursor: { logId, next, nextBytes, end, fromSequence, untilSequence } };
}

// --- delivery --------------------------------------------------------------------------------------------------------

/** Deliveries with identifiers and indexes that follow each other, in the order of first sending. */
export interface DeliveryRun {
  readonly stretchId: number;
  readonly index: number;
  readonly packetId: number;
  count: number;
  readonly qos: 1 | 2;
  readonly isReleased: boolean;
}

export interface DeliveryRecord {
  readonly lastPacketId: number;
  readonly runs: readonly DeliveryRun[];
  readonly moved: readonly {
    readonly stretchId: number;
    readonly next: number;
    readonly nextBytes: number;
  }[];
}

/**
 * What is in flight, as runs: a thousand deliveries that were sent in order take the space of one.
 * `moved` are the cursors that stand elsewhere than their own records say.
 */
export function writeDelivery(sender: Sender<Place>, moved: readonly Cursor[]): Uint8Array {
  const writer = begin();
  writer.u16(sender.lastPacketId);
  writeVarint(writer, moved.length);
  for (const cursor of moved) {
    writeVarint(writer, cursor.cursorId);
    writeVarint(writer, cursor.next);
    writeVarint(writer, cursor.nextBytes);
  }
  let run: DeliveryRun | undefined;
  // Not a generator: this runs for each session of each batch.
  for (let delivery = sender.oldest; delivery !== undefined; delivery = delivery.newer) {
    const { packetId, qos, ref, isReleased } = delivery;
    if (ref?.cursor === undefined) continue;
    if (
      run !== undefined &&
      run.stretchId === ref.stretchId &&
      run.index + run.count === ref.index &&
      run.packetId + run.count === packetId &&
      run.qos === qos &&
      run.isReleased === isReleased
    ) {
      run.count++;
      continue;
    }
    if (run !== undefined) writeRun(writer, run);
    run = { stretchId: ref.stretchId, index: ref.index, packetId, count: 1, qos, isReleased };
  }
  if (run !== undefined) writeRun(writer, run);
  return writer.take();
}

function writeRun(writer: Writer, run: DeliveryRun): void {
  writer.u8(run.qos | (run.isReleased ? 0x04 : 0));
  writeVarint(writer, run.stretchId);
  writeVarint(writer, run.index);
  writer.u16(run.packetId);
  writeVarint(writer, run.count);
}

export function readDelivery(bytes: Uint8Array): DeliveryRecord {
  const reader = open(bytes, "delivery");
  const lastPacketId = reader.u16();
  const moved = Array.from({ length: reader.varint() }, () => ({
    stretchId: reader.varint(),
    next: reader.varint(),
    nextBytes: reader.varint(),
  }));
  const runs: DeliveryRun[] = [];
  while (!reader.atEnd) {
    const flags = reader.u8();
    runs.push({
      qos: (flags & 0x03) === 2 ? 2 : 1,
      isReleased: (flags & 0x04) !== 0,
      stretchId: reader.varint(),
      index: reader.varint(),
      packetId: reader.u16(),
      count: reader.varint(),
    });
  }
  return { lastPacketId, runs, moved };
}

// --- received --------------------------------------------------------------------------------------------------------

export function writeReceived(packetIds: ReadonlySet<number>): Uint8Array {
  const writer = begin();
  for (const packetId of packetIds) writer.u16(packetId);
  return writer.take();
}

export function readReceived(bytes: Uint8Array): number[] {
  const reader = open(bytes, "received");
  const packetIds: number[] = [];
  while (!reader.atEnd) packetIds.push(reader.u16());
  return packetIds;
}
