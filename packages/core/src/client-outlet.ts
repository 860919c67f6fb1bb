// The way out to a client on the network: writes packets in the form that this client takes, with its version, its topic
// aliases, its part of all topics and its Maximum Packet Size, and leaves out what it may not see. Knows nothing of what comes in.
// MQTT 5.0 sections 3.1.2.11, 3.3.2.3.4, 4.8; 3.1.1 section 4.8.

import {
  type Connack,
  type Packet,
  packetSize,
  PacketType,
  type ProtocolVersion,
  type QoS,
  ReasonCode,
  type ReasonProperties,
  writeAck,
  writePacket,
} from "@heirloom/codec";
import type { ClientAccess } from "./access.ts";
import type { Context } from "./context.ts";
import type { Listener } from "./limits.ts";
import type { Message } from "./message.ts";
import { type Mount, mountOf } from "./mount.ts";
import { OutputFlow } from "./output-flow.ts";
import type { Transport } from "./ports/transport.ts";
import type { OutgoingAliases } from "./qos/topic-alias.ts";
import type { Omission, Outlet } from "./sessions/outlet.ts";

/** A Topic Alias with its identifier. 5.0 section 3.3.2.3.4. */
const ALIAS_BYTES = 3;

export abstract class ClientOutlet extends OutputFlow implements Outlet {
  readonly listener: Listener;
  /** The part of all topics that the client has to itself; absent when it has all. */
  readonly mount: Mount | undefined;
  /** 4 until CONNECT says otherwise. */
  version: ProtocolVersion = 4;
  /** What the client may do; absent when everything is allowed. */
  access: ClientAccess | undefined;
  /** The client's Maximum Packet Size. */
  maximumPacketSize: number = Infinity;
  /** 5.0 section 3.1.2.11.7. */
  wantsProblemInformation = true;
  outgoingAliases: OutgoingAliases | undefined;

  constructor(context: Context, transport: Transport, listener: Listener) {
    super(context, transport);
    this.listener = listener;
    this.mount = mountOf(listener);
  }

  abstract disconnect(reasonCode: number, reason: string): void;

  mayReceive(topicName: string): boolean {
    if (this.mount !== undefined && !this.mount.has(topicName)) return false;
    return this.access === undefined || this.access.mayReceive(topicName);
  }

  omission(whole: Message, qos: QoS, identifiers: readonly number[]): Omission | undefined {
    if (!this.mayReceive(whole.topicName)) return "droppedForbidden";
    if (this.maximumPacketSize === Infinity) return undefined;
    const { encoder, turn } = this.context;
    const message = this.mount === undefined ? whole : this.mount.leave(whole);
    const size = encoder.size(message, this.version, qos, 0, identifiers, turn.nowMs);
    return size <= this.maximumPacketSize ? undefined : "droppedTooLarge";
  }

  sendQoS0(message: Message, retain: boolean, identifiers: readonly number[]): void {
    if (!this.hasRoomForQoS0(message.frameStart === -1)) {
      this.context.counters.droppedQoS0++;
      return;
    }
    const omission = this.omission(message, 0, identifiers);
    if (omission === undefined) this.sendPublish(message, 0, 0, false, retain, identifiers);
    else this.session?.leaveOut(omission);
  }

  sendPublish(
    whole: Message,
    qos: QoS,
    packetId: number,
    dup: boolean,
    retain: boolean,
    identifiers: readonly number[],
  ): void {
    const { encoder, turn, counters } = this.context;
    counters.publishSent++;
    const message = this.mount === undefined ? whole : this.mount.leave(whole);
    if (this.outgoingAliases !== undefined) {
      this.#sendWithAlias(this.outgoingAliases, message, qos, packetId, dup, retain, identifiers);
    } else if (
      qos === 0 &&
      message.frameStart !== -1 &&
      !retain &&
      identifiers.length === 0 &&
      this.#takesFrame(message)
    ) {
      // Not counted before it is given to the transport: it refers to what came, and is no copy.
      this.output.forward(message.source, message.frameStart, message.payloadEnd);
      if (!this.unflushed) turn.flushLater(this);
      return;
    } else if (dup || identifiers.length > 0) {
      encoder.write(
        this.output.writer,
        message,
        message.topicName,
        this.version,
        qos,
        packetId,
        dup,
        retain,
        0,
        identifiers,
        turn.nowMs,
      );
    } else {
      encoder.writeShared(this.output.writer, message, this.version, qos, packetId, retain, turn.nowMs);
    }
    this.countWaiting();
    if (!this.unflushed) turn.flushLater(this);
  }

  /** Whether the PUBLISH that brought the message is just what this client is to be sent. */
  #takesFrame(message: Message): boolean {
    return message.frameVersion === (this.version === 5 ? 5 : 4);
  }

  #sendWithAlias(
    aliases: OutgoingAliases,
    message: Message,
    qos: QoS,
    packetId: number,
    dup: boolean,
    retain: boolean,
    identifiers: readonly number[],
  ): void {
    const { encoder, turn } = this.context;
    const { topicName } = message;
    const known = aliases.known(topicName);
    // An alias in front of a whole topic makes a packet larger than it has to be; one of three bytes instead of a shorter
    // topic does so each time.
    const mayDefine =
      topicName.length >= ALIAS_BYTES &&
      (this.maximumPacketSize === Infinity || this.#fitsDefining(message, qos, identifiers));
    const alias = known === 0 && mayDefine ? aliases.free : known;
    const { writer } = this.output;
    const name = known === 0 ? topicName : "";
    encoder.write(
      writer,
      message,
      name,
      this.version,
      qos,
      packetId,
      dup,
      retain,
      alias,
      identifiers,
      turn.nowMs,
    );
    if (known === 0 && alias !== 0) aliases.defined(topicName);
  }

  #fitsDefining(message: Message, qos: QoS, identifiers: readonly number[]): boolean {
    const { encoder, turn } = this.context;
    return encoder.size(message, this.version, qos, 1, identifiers, turn.nowMs) <= this.maximumPacketSize;
  }

  sendPubrel(packetId: number): void {
    this.sendAck(PacketType.PUBREL, packetId, ReasonCode.SUCCESS);
  }

  /** Sends PUBACK, PUBREC, PUBREL or PUBCOMP. The reason is told only to those who asked for it. */
  sendAck(
    type:
      | typeof PacketType.PUBACK
      | typeof PacketType.PUBREC
      | typeof PacketType.PUBREL
      | typeof PacketType.PUBCOMP,
    packetId: number,
    reasonCode: number,
    reason?: string,
  ): void {
    if (reason === undefined || this.version !== 5 || !this.wantsProblemInformation) {
      writeAck(this.output.writer, type, packetId, reasonCode, this.version);
      if (!this.unflushed) this.context.turn.flushLater(this);
    } else {
      this.sendWithReason((withReason) => ({
        type,
        packetId,
        reasonCode,
        ...reasonProperties(withReason, reason),
      }));
    }
  }

  /** Sends SUBACK, UNSUBACK, AUTH or any other packet that is not PUBLISH. */
  send(packet: Packet): void {
    writePacket(this.output.writer, packet, this.version);
    this.context.turn.flushLater(this);
  }

  /**
   * Sends a packet with a Reason String if it may have one and fits with it, 5.0 [MQTT-3.1.2-29], [MQTT-3.14.2-3]. Ends the
   * connection when it does not fit without one either.
   */
  sendWithReason(make: (withReason: boolean) => Packet): void {
    const full = make(true);
    const isTold =
      this.wantsProblemInformation || full.type === PacketType.DISCONNECT || full.type === PacketType.CONNACK;
    const fits =
      isTold &&
      (this.maximumPacketSize === Infinity || packetSize(full, this.version) <= this.maximumPacketSize);
    const packet = fits ? full : make(false);
    if (packetSize(packet, this.version) <= this.maximumPacketSize) {
      this.send(packet);
    } else if (packet.type !== PacketType.DISCONNECT && this.state !== "ended") {
      // 5.0 [MQTT-3.1.2-24] forbids to send it, and without it the client would wait for ever.
      this.disconnect(ReasonCode.PACKET_TOO_LARGE, "an answer larger than the client's Maximum Packet Size");
    }
  }

  /** @returns false when the client takes no packet of this size, 5.0 [MQTT-3.1.2-24]; then nothing is sent. */
  protected sendConnack(connack: Connack): boolean {
    const { reasonString: _, ...properties } = connack.properties;
    const fitting = [connack, { ...connack, properties }].find(
      (packet) => packetSize(packet, this.version) <= this.maximumPacketSize,
    );
    if (fitting !== undefined) this.send(fitting);
    return fitting !== undefined;
  }
}

function reasonProperties(withReason: boolean, reason: string): { properties?: ReasonProperties } {
  return withReason ? { properties: { reasonString: reason } } : {};
}
