// One network connection, from its first byte to its last: reads packets, says which are legal when, hands them to their
// handlers one after the other, and collects what is to be sent. Knows no sockets, only a Transport.
// MQTT 5.0 sections 3.1, 4.8, 4.13; 3.1.1 sections 3.1, 4.8.

import {
  type Connack,
  type ConnackProperties,
  type Connect,
  connectReturnCode,
  type Packet,
  PacketError,
  PacketReader,
  packetSize,
  PacketType,
  type ProtocolVersion,
  type QoS,
  ReasonCode,
  type ReasonProperties,
  UnsupportedProtocolError,
  writeAck,
  writePacket,
} from "@heirloom/codec";
import type { ClientAccess } from "./access.ts";
import type { AuthenticationLimit } from "./authentication-limit.ts";
import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";
import type { Listener } from "./limits.ts";
import { MemoryStep } from "./memory-ceiling.ts";
import { type Message, NO_BYTES } from "./message.ts";
import { type Mount, mountOf } from "./mount.ts";
import { Output } from "./output.ts";
import type { AuthExchange, ClientInfo } from "./ports/hooks.ts";
import type { Transport } from "./ports/transport.ts";
import { Rates, type SharedRates } from "./publish-rates.ts";
import { IncomingAliases, type OutgoingAliases } from "./qos/topic-alias.ts";
import type { Omission, Outlet } from "./sessions/outlet.ts";
import type { Session } from "./sessions/session.ts";
import type { Flushable } from "./turn.ts";
import type { ConnectionEnd } from "./wills.ts";

/** For clients that may not define any: those of 3.x, and those that were told a maximum of 0. */
const NO_ALIASES = new IncomingAliases(0);

/** A Topic Alias with its identifier. 5.0 section 3.3.2.3.4. */
const ALIAS_BYTES = 3;
/** Above this many waiting bytes, QoS 1 and 2 deliveries wait in their session. */
const FULL_BYTES = 262_144;

/** What a connection asks of the broker. */
export interface ConnectionHost {
  /** Handles one packet that is legal now. A promise holds back the packets behind it. */
  handle(connection: Connection, packet: Packet): Promise<void> | void;
  /** The client's CONNECT was accepted. */
  connected(connection: Connection): void;
  /** The connection ended; `end` says what becomes of the will. */
  ended(connection: Connection, end: ConnectionEnd): void;
}

export type ConnectionState =
  /** Nothing but CONNECT may come. */
  | "new"
  /** CONNECT is being answered; only AUTH and DISCONNECT may come, 5.0 [MQTT-4.12.0-1]. */
  | "connecting"
  | "connected"
  /** What is owed is still sent; nothing more is read. */
  | "ended";

export class Connection implements Outlet, Flushable {
  readonly context: Context;
  readonly listener: Listener;
  readonly transport: Transport;
  readonly output: Output = new Output();
  state: ConnectionState = "new";
  unflushed = false;
  /** 4 until CONNECT says otherwise. */
  version: ProtocolVersion = 4;
  session: Session | undefined;
  client: ClientInfo | undefined;
  /** What the client may do; absent when everything is allowed. */
  access: ClientAccess | undefined;
  /** Seconds, as granted; 0 = none. */
  keepAlive = 0;
  /** The client's Maximum Packet Size. */
  maximumPacketSize: number = Infinity;
  /** 5.0 section 3.1.2.11.7. */
  wantsProblemInformation = true;
  /** Session Expiry Interval of CONNECT, as the client gave it. 5.0 section 3.14.2.2.2. */
  connectExpiryInterval = 0;
  incomingAliases: IncomingAliases = NO_ALIASES;
  outgoingAliases: OutgoingAliases | undefined;
  authMethod: string | undefined;
  authExchange: AuthExchange | undefined;
  /** How long an authentication may go on; absent without an authentication method. */
  authentication: AuthenticationLimit | undefined;
  /** CONNECT and its client while AUTH packets go back and forth. */
  pendingConnect: { readonly connect: Connect; readonly client: ClientInfo } | undefined;
  /** A PUBLISH of the client's that is held for want of room. */
  held: { giveUp(): void } | undefined;
  /** The topic name that was checked last; publishers repeat theirs. */
  checkedTopicName = "";
  readonly #host: ConnectionHost;
  readonly #reader: PacketReader;
  readonly #deadline: Deadline;
  readonly #rates: Rates | undefined;
  readonly #mount: Mount | undefined;
  /** When a client that sent too fast is read again. */
  #rest: Deadline | undefined;
  /** When what the client showed of itself is not valid any more. */
  #validity: Deadline | undefined;
  #lastReceivedMs = 0;
  /** What counts in `inputBytes`. */
  #heldBytes = 0;
  #isBusy = false;
  #isClosing = false;
  #bufferedBytes = 0;
  /** What counts in `outputBytes`. */
  #waitingBytes = 0;
  #wasFull = false;
  #isHeldBack = false;

  constructor(
    context: Context,
    host: ConnectionHost,
    transport: Transport,
    listener: Listener,
    sharedRates: SharedRates,
  ) {
    this.context = context;
    this.#rates = Rates.of(context.limits, listener, sharedRates, context.turn.nowMs);
    this.#host = host;
    this.transport = transport;
    this.listener = listener;
    this.#mount = mountOf(listener);
    const { maximumConnectSize, maximumControlSize } = context.limits;
    this.#reader = new PacketReader({
      side: "server",
      maximumPacketSize: maximumConnectSize,
      maximumControlSize: Math.max(maximumControlSize, maximumConnectSize),
      maximumUserProperties: context.limits.userProperties,
    });
    this.#deadline = new Deadline((nowMs) => this.#deadlinePassed(nowMs));
    const connectTimeoutMs = context.limits.connectTimeoutMs - (transport.elapsedMs ?? 0);
    context.deadlines.set(this.#deadline, context.turn.nowMs + connectTimeoutMs);
  }

  // --- bytes in --------------------------------------------------------------------------------------------------

  /** Bytes arrived. The connection may keep a reference to `chunk` until it was decoded. */
  receive(chunk: Uint8Array): void {
    if (this.state === "ended") return;
    this.#lastReceivedMs = this.context.turn.nowMs;
    this.context.counters.bytesReceived += chunk.length;
    this.#reader.push(chunk);
    if (!this.#isBusy) this.#process();
    if (this.#reader.heldBytes !== this.#heldBytes) this.#heldChanged();
    // Not only when the turn ends: up to 2 MiB of a socket are read in one, and each two bytes may have an answer.
    if (this.output.length > this.#waitingBytes) this.#waitingChanged();
  }

  /** The transport took everything that was given to it. */
  drained(): void {
    this.#bufferedChanged(this.transport.bufferedBytes);
    this.#pumpIfRoom();
  }

  /** The peer or the network ended the connection. */
  closed(error?: Error): void {
    if (this.state !== "ended") {
      this.#end(
        "abnormal",
        ReasonCode.UNSPECIFIED_ERROR,
        error?.message ?? "closed by the peer without DISCONNECT",
      );
    }
    this.#isClosing = true;
    this.output.clear();
    this.#bufferedChanged(0);
  }

  /** What is kept of packets that have not ended. While all connections keep too much, none keeps more than its share. */
  #heldChanged(): void {
    const { counters, limits } = this.context;
    const before = this.#heldBytes;
    this.#heldBytes = this.#reader.heldBytes;
    counters.inputBytes += this.#heldBytes - before;
    if (this.#heldBytes <= before || counters.inputBytes <= limits.totalInputBytes) return;
    if (this.#heldBytes <= limits.totalInputBytes / counters.connectionsOpen) return;
    counters.inputDropped++;
    this.disconnect(ReasonCode.QUOTA_EXCEEDED, "packets that have not ended take too much memory");
  }

  #process(): void {
    while (!this.#isBusy && this.state !== "ended") {
      const packet = this.#nextPacket();
      if (packet === undefined) return;
      if (!this.#isLegal(packet)) return;
      const restMs = this.#rates === undefined ? 0 : this.#rates.take(packet, this.context.turn.nowMs);
      if (restMs > 0 && !this.#maySendFaster()) return;
      if (this.#mount !== undefined && !this.#enterMount(this.#mount, packet)) return;
      const pending = this.#host.handle(this, packet);
      if (pending instanceof Promise) this.#hold(pending, restMs);
      else if (restMs > 0) this.#restFor(restMs);
    }
  }

  /** Makes the names in a packet whole ones. @returns false when that ended the connection. */
  #enterMount(mount: Mount, packet: Packet): boolean {
    const fault = mount.enter(packet);
    if (fault === undefined) return true;
    this.fail(ReasonCode.TOPIC_NAME_INVALID, fault);
    return false;
  }

  /** A client sends faster than it may: whether that packet is still taken, and the next ones later. */
  #maySendFaster(): boolean {
    this.context.counters.rateLimited++;
    if (this.context.limits.ratePolicy === "wait") return true;
    this.fail(ReasonCode.MESSAGE_RATE_TOO_HIGH, "more packets or bytes in a second than are accepted");
    return false;
  }

  /** Reads nothing for a while, so that the network tells the client to slow down. */
  #restFor(restMs: number): void {
    if (this.state === "ended") return;
    const { deadlines, turn } = this.context;
    this.#isBusy = true;
    this.transport.pause(true);
    this.#rest ??= new Deadline(() => this.#goOn());
    deadlines.set(this.#rest, turn.nowMs + restMs);
  }

  #goOn(): void {
    this.#isBusy = false;
    if (this.state === "ended") return;
    if (!this.#isHeldBack) this.transport.pause(false);
    this.#process();
    if (this.#reader.heldBytes !== this.#heldBytes) this.#heldChanged();
  }

  #nextPacket(): Packet | undefined {
    try {
      return this.#reader.next();
    } catch (error) {
      this.context.counters.parseErrors++;
      if (error instanceof PacketError) this.#refuseBytes(error);
      else this.#decoderFailed(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  /** A fault of ours, but nothing was taken of the packet yet: only this connection ends. */
  #decoderFailed(error: Error): void {
    const { counters, failedInputs, observer, turn } = this.context;
    const { remoteAddress } = this.transport;
    counters.decoderFailures++;
    const bytes = this.#reader.failedInput ?? NO_BYTES;
    failedInputs.add({ atMs: turn.nowMs, remoteAddress, error, bytes });
    observer.event("decoderFailed", { remoteAddress, error });
    this.disconnect(ReasonCode.UNSPECIFIED_ERROR, "the packet could not be read");
  }

  /** Nothing behind a packet is looked at before its handler is done: so acknowledgements keep the order of arrival. */
  #hold(pending: Promise<void>, restMs: number): void {
    this.#isBusy = true;
    this.transport.pause(true);
    void pending
      .catch((error: unknown) => {
        this.fail(
          ReasonCode.UNSPECIFIED_ERROR,
          `a hook failed: ${error instanceof Error ? error.message : String(error)}`,
        );
      })
      .then(() => {
        if (restMs > 0) this.#restFor(restMs);
        else this.#goOn();
      });
  }

  #isLegal(packet: Packet): boolean {
    const { type } = packet;
    if (this.state === "new") return type === PacketType.CONNECT;
    if (type === PacketType.CONNECT) {
      // 5.0 [MQTT-3.1.0-2], 3.1.1 [MQTT-3.1.0-2]
      this.fail(ReasonCode.PROTOCOL_ERROR, "a second CONNECT");
      return false;
    }
    if (this.state === "connecting" && type !== PacketType.AUTH && type !== PacketType.DISCONNECT) {
      // 5.0 [MQTT-4.12.0-1]
      this.fail(ReasonCode.PROTOCOL_ERROR, "a packet other than AUTH or DISCONNECT before CONNACK");
      return false;
    }
    return true;
  }

  #refuseBytes(error: PacketError): void {
    const isUnsupported = error instanceof UnsupportedProtocolError;
    if (this.state === "connected") {
      // A second CONNECT, whatever it says: DISCONNECT knows no 0x84. 5.0 [MQTT-3.1.0-2].
      this.fail(isUnsupported ? ReasonCode.PROTOCOL_ERROR : error.reasonCode, error.message);
    } else if (isUnsupported && this.state === "new") {
      // 3.1.1 [MQTT-3.1.2-2]: a form that clients of all versions can read.
      this.output.writer.append(UNACCEPTABLE_PROTOCOL_VERSION, 0, UNACCEPTABLE_PROTOCOL_VERSION.length);
      this.#end("abnormal", error.reasonCode, error.message);
    } else if (this.#reader.version === 5 && this.state === "new") {
      this.version = 5;
      this.refuse(error.reasonCode, error.message);
    } else {
      this.#end("abnormal", error.reasonCode, error.message);
    }
  }

  // --- life ------------------------------------------------------------------------------------------------------

  /** CONNECT was read: from now on its version and limits hold. */
  begin(version: ProtocolVersion): void {
    this.version = version;
    this.state = "connecting";
  }

  /** CONNACK with success goes out; packets behind CONNECT are handled. Ends the connection when it cannot be sent. */
  accept(sessionPresent: boolean, properties: ConnackProperties): void {
    const { SUCCESS: reasonCode } = ReasonCode;
    const isSent = this.#writeConnack({ type: PacketType.CONNACK, sessionPresent, reasonCode, properties });
    if (!isSent) {
      // Before CONNACK not even DISCONNECT may be sent, 5.0 [MQTT-3.14.0-1]. Nobody was accepted, so there is no will.
      this.#end(
        "normal",
        ReasonCode.PACKET_TOO_LARGE,
        "CONNACK is larger than the client's Maximum Packet Size",
      );
      return;
    }
    this.state = "connected";
    this.#host.connected(this);
    this.#reader.maximumControlSize = this.context.limits.maximumControlSize;
    this.#reader.maximumPacketSize = this.listener.maximumPacketSize ?? this.context.limits.maximumPacketSize;
    this.#restartKeepAlive(this.context.turn.nowMs);
  }

  /** CONNACK with a reason code of 0x80 or above, then the end. 5.0 [MQTT-3.2.2-7], 3.1.1 [MQTT-3.2.2-5]. */
  refuse(reasonCode: number, reason: string, properties: ConnackProperties = {}): void {
    if (this.state === "ended") return;
    const reasonCodeOrReturnCode = this.version === 5 ? reasonCode : connectReturnCode(reasonCode);
    const told = this.version === 5 ? { reasonString: reason, ...properties } : {};
    this.#writeConnack({
      type: PacketType.CONNACK,
      sessionPresent: false,
      reasonCode: reasonCodeOrReturnCode,
      properties: told,
    });
    this.context.counters.connectionsRefused++;
    this.#end("abnormal", reasonCode, reason);
  }

  /** The client broke the protocol, or the broker will not go on: DISCONNECT with the reason code, then the end. */
  fail(reasonCode: number, reason: string): void {
    this.disconnect(reasonCode, reason);
  }

  disconnect(reasonCode: number, reason: string, serverReference?: string): void {
    if (this.state === "ended") return;
    if (this.state === "connected" && this.version === 5) {
      this.#writeFitting((withReason) => ({
        type: PacketType.DISCONNECT,
        reasonCode,
        properties: {
          ...(withReason ? { reasonString: reason } : {}),
          ...(serverReference === undefined ? {} : { serverReference }),
        },
      }));
    }
    if (this.state === "connected") this.#end("abnormal", reasonCode, reason);
    else if (this.state === "connecting" && this.version === 5) this.refuse(connackCode(reasonCode), reason);
    else this.#end("abnormal", reasonCode, reason);
  }

  /** The client sent DISCONNECT: nothing more is sent, 5.0 [MQTT-3.14.4-1], [MQTT-3.14.4-2]. */
  disconnectedByClient(end: ConnectionEnd, reasonCode: number): void {
    this.output.clear();
    this.#end(end, reasonCode, "DISCONNECT by the client");
  }

  #end(end: ConnectionEnd, reasonCode: number, reason: string): void {
    const wasConnected = this.state === "connected";
    this.state = "ended";
    this.#reader.close();
    this.context.counters.inputBytes -= this.#heldBytes;
    this.#heldBytes = 0;
    this.context.deadlines.clear(this.#deadline);
    if (this.#validity !== undefined) this.context.deadlines.clear(this.#validity);
    this.access?.close();
    this.held?.giveUp();
    this.authentication?.end();
    if (this.#rest !== undefined) this.context.deadlines.clear(this.#rest);
    const { observer } = this.context;
    if (wasConnected && this.client !== undefined) {
      observer.event("disconnected", { client: this.client, reasonCode, reason });
    } else {
      observer.event("refused", { remoteAddress: this.transport.remoteAddress, reasonCode, reason });
    }
    if (this.session !== undefined) this.context.outputBudget.gone(this.session);
    this.#host.ended(this, end);
    this.context.turn.flushLater(this);
  }

  // --- time ------------------------------------------------------------------------------------------------------

  #restartKeepAlive(nowMs: number): void {
    const { deadlines } = this.context;
    // 5.0 [MQTT-3.1.2-22]: one and a half times the Keep Alive.
    if (this.keepAlive === 0) deadlines.clear(this.#deadline);
    else deadlines.set(this.#deadline, nowMs + this.keepAlive * 1500);
  }

  /** What the client showed of itself holds for so long, from now on; `undefined` = always. */
  setValidity(validForMs: number | undefined): void {
    const { deadlines, turn } = this.context;
    if (this.#validity !== undefined) deadlines.clear(this.#validity);
    if (validForMs === undefined) return;
    this.#validity ??= new Deadline(() =>
      this.disconnect(ReasonCode.NOT_AUTHORIZED, "what the client showed of itself has expired"),
    );
    deadlines.set(this.#validity, turn.nowMs + validForMs);
  }

  #deadlinePassed(nowMs: number): void {
    if (this.state !== "connected") {
      this.context.counters.handshakesTimedOut++;
      this.#end("abnormal", ReasonCode.MAXIMUM_CONNECT_TIME, "no complete CONNECT within the time allowed");
      return;
    }
    // Receiving does not move the deadline: it is looked at when it passes.
    if (this.#isBusy || nowMs - this.#lastReceivedMs < this.keepAlive * 1500) {
      this.#restartKeepAlive(this.#isBusy ? nowMs : this.#lastReceivedMs);
    } else {
      this.fail(
        ReasonCode.KEEP_ALIVE_TIMEOUT,
        `nothing received for one and a half times ${this.keepAlive} seconds`,
      );
    }
  }

  // --- packets out -----------------------------------------------------------------------------------------------

  /** Bytes that were produced for the client and that its network has not taken. */
  get waitingBytes(): number {
    return this.output.length + this.#bufferedBytes;
  }

  get isFull(): boolean {
    const { waitingBytes } = this;
    const { outputBudget } = this.context;
    if (waitingBytes < FULL_BYTES) {
      if (!outputBudget.isCrowded) return false;
      if (waitingBytes === 0) return outputBudget.isExhausted && this.#waitForOthers();
      if (!outputBudget.isOver && waitingBytes < outputBudget.shareBytes) return false;
    }
    this.#wasFull = true;
    return true;
  }

  /** It is others who take the room: that there is some again does not show here. */
  #waitForOthers(): boolean {
    if (this.session !== undefined) this.context.outputBudget.waitForRoom(this.session);
    return true;
  }

  waitFor(batch: number): void {
    this.output.waitFor(batch, this.context.turn.durable);
  }

  mayReceive(topicName: string): boolean {
    if (this.#mount !== undefined && !this.#mount.has(topicName)) return false;
    return this.access === undefined || this.access.mayReceive(topicName);
  }

  omission(whole: Message, qos: QoS, identifiers: readonly number[]): Omission | undefined {
    if (!this.mayReceive(whole.topicName)) return "droppedForbidden";
    if (this.maximumPacketSize === Infinity) return undefined;
    const { encoder, turn } = this.context;
    const message = this.#mount === undefined ? whole : this.#mount.leave(whole);
    const size = encoder.size(message, this.version, qos, 0, identifiers, turn.nowMs);
    return size <= this.maximumPacketSize ? undefined : "droppedTooLarge";
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
    const message = this.#mount === undefined ? whole : this.#mount.leave(whole);
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
    this.#countWaiting();
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

  sendQoS0(message: Message, retain: boolean, identifiers: readonly number[]): void {
    const { counters, limits } = this.context;
    const waitingBytes = this.output.length + this.#bufferedBytes;
    if (waitingBytes > limits.outputBytes || this.#isBeyondShare(message, waitingBytes)) {
      counters.droppedQoS0++;
      return;
    }
    const omission = this.omission(message, 0, identifiers);
    if (omission === undefined) this.sendPublish(message, 0, 0, false, retain, identifiers);
    else this.session?.leaveOut(omission);
  }

  /** Whether all connections together have too much waiting, and this one its share or a message that has to be copied. */
  #isBeyondShare(message: Message, waitingBytes: number): boolean {
    const { outputBudget, memory } = this.context;
    if (memory.isTaken(MemoryStep.QOS_0) && this.#bufferedBytes > 0) return true;
    if (!outputBudget.isCrowded) return false;
    if (waitingBytes > 0 && waitingBytes >= outputBudget.shareBytes) return true;
    return outputBudget.isExhausted && message.frameStart === -1;
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
      this.#writeFitting((withReason) => ({
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

  /** Sends a packet with a Reason String if it may have one and fits with it. 5.0 [MQTT-3.1.2-29], [MQTT-3.14.2-3]. */
  sendWithReason(make: (withReason: boolean) => Packet): void {
    this.#writeFitting(make);
  }

  #writeFitting(make: (withReason: boolean) => Packet): void {
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
  #writeConnack(connack: Connack): boolean {
    const { reasonString: _, ...properties } = connack.properties;
    const fitting = [connack, { ...connack, properties }].find(
      (packet) => packetSize(packet, this.version) <= this.maximumPacketSize,
    );
    if (fitting !== undefined) this.send(fitting);
    return fitting !== undefined;
  }

  // --- bytes out -------------------------------------------------------------------------------------------------

  flush(durable: number): boolean {
    if (this.#isClosing) return false;
    const { counters } = this.context;
    const sentBytes = this.output.sendTo(this.transport, durable);
    if (sentBytes > 0) {
      counters.bytesSent += sentBytes;
      counters.writes++;
      this.#bufferedChanged(this.transport.bufferedBytes);
    } else {
      this.#waitingChanged();
    }
    if (this.state === "ended" && !this.output.isWaiting) {
      this.#isClosing = true;
      this.#bufferedChanged(0);
      this.transport.end();
      return false;
    }
    this.#pumpIfRoom();
    return this.output.isWaiting;
  }

  #bufferedChanged(bytes: number): void {
    this.#bufferedBytes = bytes;
    this.#waitingChanged();
  }

  #waitingChanged(): void {
    this.#countWaiting();
    const { outputBudget, limits } = this.context;
    const mostBytes = outputBudget.isOver
      ? outputBudget.shareBytes
      : 2 * limits.outputBytes + limits.maximumPacketSize;
    this.#holdBack(this.#waitingBytes > mostBytes);
  }

  #countWaiting(): void {
    const waitingBytes = this.output.length + this.#bufferedBytes;
    if (waitingBytes === this.#waitingBytes) return;
    const changedBytes = waitingBytes - this.#waitingBytes;
    this.#waitingBytes = waitingBytes;
    this.context.outputBudget.changed(changedBytes);
  }

  /**
   * Who does not take the answers may ask no more: each packet of a client costs at least one. Messages alone do not lead
   * here, they stop earlier: a subscriber that is only slow goes on to be heard, and is not taken for dead.
   */
  #holdBack(isHeldBack: boolean): void {
    if (isHeldBack === this.#isHeldBack || this.state === "ended") return;
    this.#isHeldBack = isHeldBack;
    if (!this.#isBusy) this.transport.pause(isHeldBack);
  }

  #pumpIfRoom(): void {
    if (!this.#wasFull || this.session === undefined || this.state !== "connected") return;
    if (this.output.length + this.#bufferedBytes >= FULL_BYTES) return;
    this.#wasFull = false;
    this.context.pumps.add(this.session);
  }
}

/** CONNACK of 3.1.1 with return code 0x01. */
const UNACCEPTABLE_PROTOCOL_VERSION = Uint8Array.of(0x20, 0x02, 0x00, 0x01);

/** What CONNACK says for a reason code of DISCONNECT. 5.0 section 3.2.2.2 knows no "shutting down". */
function connackCode(reasonCode: number): number {
  return reasonCode === ReasonCode.SERVER_SHUTTING_DOWN ? ReasonCode.SERVER_UNAVAILABLE : reasonCode;
}

function reasonProperties(withReason: boolean, reason: string): { properties?: ReasonProperties } {
  return withReason ? { properties: { reasonString: reason } } : {};
}
