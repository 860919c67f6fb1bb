// Writes PUBLISH packets into the outputs of connections. A message that goes to many is encoded once for each form it
// takes (version, QoS, RETAIN); for all others those bytes are copied and only the packet identifier is put in.

import { publishSize, type ProtocolVersion, type QoS, type Writer, writePublish } from "@heirloom/codec";
import { NO_IDENTIFIERS } from "./logs/entry.ts";
import { type Message, NO_BYTES, remainingExpirySeconds } from "./message.ts";

/** The fields of one PUBLISH, filled in anew for each packet; the codec reads them and keeps nothing. */
interface Fields {
  topicName: string;
  qos: QoS;
  dup: boolean;
  retain: boolean;
  packetId: number;
  topicAlias: number;
  messageExpiryInterval: number;
  subscriptionIdentifiers: readonly number[];
  forwarded: Uint8Array;
  forwardedStart: number;
  source: Uint8Array;
  payloadStart: number;
  payloadEnd: number;
}

/** Where a form of the present message stands already, in the output of an earlier receiver. */
interface Form {
  message: Message | undefined;
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Of the packet identifier, counted from `start`; -1 at QoS 0. */
  packetIdOffset: number;
}

export class PublishEncoder {
  readonly #fields: Fields = {
    topicName: "",
    qos: 0,
    dup: false,
    retain: false,
    packetId: 0,
    topicAlias: 0,
    messageExpiryInterval: -1,
    subscriptionIdentifiers: NO_IDENTIFIERS,
    forwarded: NO_BYTES,
    forwardedStart: -1,
    source: NO_BYTES,
    payloadStart: 0,
    payloadEnd: 0,
  };
  /** By version 5 or not, QoS and RETAIN. */
  readonly #forms: Form[] = Array.from({ length: 12 }, () => ({
    message: undefined,
    bytes: NO_BYTES,
    start: 0,
    end: 0,
    packetIdOffset: -1,
  }));

  /** Bytes of the whole packet. */
  size(
    message: Message,
    version: ProtocolVersion,
    qos: QoS,
    topicAlias: number,
    identifiers: readonly number[],
    nowMs: number,
  ): number {
    return publishSize(
      this.#fill(message, message.topicName, qos, 1, false, false, topicAlias, identifiers, nowMs),
      version,
    );
  }

  /** The common case: a first sending without alias and identifiers, that other receivers may get as well. */
  writeShared(
    writer: Writer,
    message: Message,
    version: ProtocolVersion,
    qos: QoS,
    packetId: number,
    retain: boolean,
    nowMs: number,
  ): void {
    const form = this.#forms[(version === 5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0)];
    if (form === undefined) return;
    const start = writer.length;
    if (form.message === message) {
      writer.append(form.bytes, form.start, form.end);
      if (form.packetIdOffset >= 0) {
        const offset = start + form.packetIdOffset;
        writer.bytes[offset] = packetId >>> 8;
        writer.bytes[offset + 1] = packetId & 0xff;
      }
      return;
    }
    const fields = this.#fill(
      message,
      message.topicName,
      qos,
      packetId,
      false,
      retain,
      0,
      NO_IDENTIFIERS,
      nowMs,
    );
    const packetIdOffset = writePublish(writer, fields, version);
    form.message = message;
    form.bytes = writer.bytes;
    form.start = start;
    form.end = writer.length;
    form.packetIdOffset = packetIdOffset < 0 ? -1 : packetIdOffset - start;
  }

  /** Any PUBLISH. With an alias, `topicName` may be empty. */
  write(
    writer: Writer,
    message: Message,
    topicName: string,
    version: ProtocolVersion,
    qos: QoS,
    packetId: number,
    dup: boolean,
    retain: boolean,
    topicAlias: number,
    identifiers: readonly number[],
    nowMs: number,
  ): void {
    writePublish(
      writer,
      this.#fill(message, topicName, qos, packetId, dup, retain, topicAlias, identifiers, nowMs),
      version,
    );
  }

  /** Forgets the present message: outputs are about to be sent, and time goes on. */
  endTurn(): void {
    for (const form of this.#forms) {
      form.message = undefined;
      form.bytes = NO_BYTES;
    }
  }

  #fill(
    message: Message,
    topicName: string,
    qos: QoS,
    packetId: number,
    dup: boolean,
    retain: boolean,
    topicAlias: number,
    identifiers: readonly number[],
    nowMs: number,
  ): Fields {
    const fields = this.#fields;
    fields.topicName = topicName;
    fields.qos = qos;
    fields.dup = dup;
    fields.retain = retain;
    fields.packetId = packetId;
    fields.topicAlias = topicAlias;
    fields.messageExpiryInterval = remainingExpirySeconds(message, nowMs);
    fields.subscriptionIdentifiers = identifiers;
    const { forwardedStart } = message;
    fields.forwarded = forwardedStart === -1 ? message.forwarded : NO_BYTES;
    fields.forwardedStart = forwardedStart;
    fields.source = message.source;
    fields.payloadStart = message.payloadStart;
    fields.payloadEnd = message.payloadEnd;
    return fields;
  }
}
