// One network connection, from its first byte to its last: which packet is legal when, how it is accepted or refused, and how it
// ends. What comes in is read by its `PacketIntake`, what goes out is written by the `ClientOutlet` that it is. Knows no sockets,
// only a Transport. MQTT 5.0 sections 3.1, 4.12, 4.13; 3.1.1 sections 3.1, 4.8.

import {
  type ConnackProperties,
  type Connect,
  connectReturnCode,
  type Packet,
  type PacketError,
  PacketType,
  type ProtocolVersion,
  ReasonCode,
  UnsupportedProtocolError,
} from "@heirloom/codec";
import type { AuthenticationLimit } from "./authentication-limit.ts";
import { ClientOutlet } from "./client-outlet.ts";
import { ConnectionDeadlines, type TimedConnection } from "./connection-deadlines.ts";
import type { Context } from "./context.ts";
import type { Listener } from "./limits.ts";
import { type IntakeHost, PacketIntake } from "./packet-intake.ts";
import type { AuthExchange, ClientInfo } from "./ports/hooks.ts";
import type { Transport } from "./ports/transport.ts";
import type { SharedRates } from "./publish-rates.ts";
import { IncomingAliases } from "./qos/topic-alias.ts";
import type { ConnectionEnd } from "./wills.ts";

/** For clients that may not define any: those of 3.x, and those that were told a maximum of 0. */
const NO_ALIASES = new IncomingAliases(0);

/** What a connection asks of the broker. */
export interface ConnectionHost {
  /** Handles one packet that is legal now. A promise holds back the packets behind it. */
  handle(connection: Connection, packet: Packet): Promise<void> | void;
  /** The client's CONNECT was accepted. */
  connected(connection: Connection): void;
  /** The connection ended; `end` says what becomes of the will. */
  ended(connection: Connection, end: ConnectionEnd): void;
}

export class Connection extends ClientOutlet implements IntakeHost, TimedConnection {
  client: ClientInfo | undefined;
  /** Who the client was shown to be; known while CONNECT is still to be answered. */
  account: string | undefined;
  /** Seconds, as granted; 0 = none. */
  keepAlive = 0;
  /** Session Expiry Interval of CONNECT, as the client gave it. 5.0 section 3.14.2.2.2. */
  connectExpiryInterval = 0;
  incomingAliases: IncomingAliases = NO_ALIASES;
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
  readonly #intake: PacketIntake;
  readonly #deadlines: ConnectionDeadlines;

  constructor(
    context: Context,
    host: ConnectionHost,
    transport: Transport,
    listener: Listener,
    sharedRates: SharedRates,
  ) {
    super(context, transport, listener);
    this.#host = host;
    this.#intake = new PacketIntake(this, sharedRates);
    this.#deadlines = new ConnectionDeadlines(this, transport.elapsedMs ?? 0);
  }

  /** Bytes arrived. The connection may keep a reference to `chunk` until it was decoded. */
  receive(chunk: Uint8Array): void {
    if (this.state === "ended") return;
    this.#deadlines.received(this.context.turn.nowMs);
    this.context.counters.bytesReceived += chunk.length;
    this.#intake.receive(chunk);
    // Not only when the turn ends: up to 2 MiB of a socket are read in one, and each two bytes may have an answer.
    this.answered();
  }

  /** The peer or the network ended the connection. */
  closed(error?: Error): void {
    if (this.state !== "ended") {
      this.end(
        "abnormal",
        ReasonCode.UNSPECIFIED_ERROR,
        error?.message ?? "closed by the peer without DISCONNECT",
      );
    }
    this.abandonOutput();
  }

  isLegal(packet: Packet): boolean {
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

  handle(packet: Packet): Promise<void> | void {
    return this.#host.handle(this, packet);
  }

  refuseBytes(error: PacketError): void {
    const isUnsupported = error instanceof UnsupportedProtocolError;
    if (this.state === "connected") {
      // A second CONNECT, whatever it says: DISCONNECT knows no 0x84. 5.0 [MQTT-3.1.0-2].
      this.fail(isUnsupported ? ReasonCode.PROTOCOL_ERROR : error.reasonCode, error.message);
    } else if (isUnsupported && this.state === "new") {
      // 3.1.1 [MQTT-3.1.2-2]: a form that clients of all versions can read.
      this.output.writer.append(UNACCEPTABLE_PROTOCOL_VERSION, 0, UNACCEPTABLE_PROTOCOL_VERSION.length);
      this.end("abnormal", error.reasonCode, error.message);
    } else if (this.#intake.version === 5 && this.state === "new") {
      this.version = 5;
      this.refuse(error.reasonCode, error.message);
    } else {
      this.end("abnormal", error.reasonCode, error.message);
    }
  }

  /** CONNECT was read: from now on its version and limits hold. */
  begin(version: ProtocolVersion): void {
    this.version = version;
    this.state = "connecting";
  }

  /** What the client showed of itself holds for so long, from now on; `undefined` = always. */
  setValidity(validForMs: number | undefined): void {
    this.#deadlines.setValidity(validForMs);
  }

  /** CONNACK with success goes out; packets behind CONNECT are handled. Ends the connection when it cannot be sent. */
  accept(sessionPresent: boolean, properties: ConnackProperties): void {
    const { SUCCESS: reasonCode } = ReasonCode;
    const isSent = this.sendConnack({ type: PacketType.CONNACK, sessionPresent, reasonCode, properties });
    if (!isSent) {
      // Before CONNACK not even DISCONNECT may be sent, 5.0 [MQTT-3.14.0-1]. Nobody was accepted, so there is no will.
      this.end(
        "normal",
        ReasonCode.PACKET_TOO_LARGE,
        "CONNACK is larger than the client's Maximum Packet Size",
      );
      return;
    }
    this.state = "connected";
    this.#host.connected(this);
    this.#intake.accepted();
    this.#deadlines.accepted();
  }

  /** CONNACK with a reason code of 0x80 or above, then the end. 5.0 [MQTT-3.2.2-7], 3.1.1 [MQTT-3.2.2-5]. */
  refuse(reasonCode: number, reason: string, properties: ConnackProperties = {}): void {
    if (this.state === "ended") return;
    const reasonCodeOrReturnCode = this.version === 5 ? reasonCode : connectReturnCode(reasonCode);
    const told = this.version === 5 ? { reasonString: reason, ...properties } : {};
    this.sendConnack({
      type: PacketType.CONNACK,
      sessionPresent: false,
      reasonCode: reasonCodeOrReturnCode,
      properties: told,
    });
    this.context.counters.connectionsRefused++;
    this.end("abnormal", reasonCode, reason);
  }

  get isBusy(): boolean {
    return this.#intake.isBusy;
  }

  protected override holdBack(isHeldBack: boolean): void {
    this.#intake.holdBack(isHeldBack);
  }

  /** The client broke the protocol, or the broker will not go on: DISCONNECT with the reason code, then the end. */
  fail(reasonCode: number, reason: string): void {
    this.disconnect(reasonCode, reason);
  }

  disconnect(reasonCode: number, reason: string, serverReference?: string): void {
    if (this.state === "ended") return;
    if (this.state === "connected" && this.version === 5) {
      this.sendWithReason((withReason) => ({
        type: PacketType.DISCONNECT,
        reasonCode,
        properties: {
          ...(withReason ? { reasonString: reason } : {}),
          ...(serverReference === undefined ? {} : { serverReference }),
        },
      }));
    }
    if (this.state === "connecting" && this.version === 5) this.refuse(connackCode(reasonCode), reason);
    else this.end("abnormal", reasonCode, reason);
  }

  /** The client sent DISCONNECT: nothing more is sent, 5.0 [MQTT-3.14.4-1], [MQTT-3.14.4-2]. */
  disconnectedByClient(end: ConnectionEnd, reasonCode: number): void {
    this.output.clear();
    this.end(end, reasonCode, "DISCONNECT by the client");
  }

  /** The end without a word; `end` says what becomes of the will. What was written before is still sent. */
  end(end: ConnectionEnd, reasonCode: number, reason: string): void {
    const wasConnected = this.state === "connected";
    const { observer, outputBudget, turn } = this.context;
    this.state = "ended";
    this.#intake.close();
    this.#deadlines.clear();
    this.access?.close();
    this.held?.giveUp();
    this.authentication?.end();
    if (wasConnected && this.client !== undefined) {
      observer.event("disconnected", { client: this.client, reasonCode, reason });
    } else {
      observer.event("refused", { remoteAddress: this.transport.remoteAddress, reasonCode, reason });
    }
    if (this.session !== undefined) outputBudget.gone(this.session);
    this.#host.ended(this, end);
    turn.flushLater(this);
  }
}

/** CONNACK of 3.1.1 with return code 0x01. */
const UNACCEPTABLE_PROTOCOL_VERSION = Uint8Array.of(0x20, 0x02, 0x00, 0x01);

/** What CONNACK says for a reason code of DISCONNECT. 5.0 section 3.2.2.2 does not know all of them. */
function connackCode(reasonCode: number): number {
  if (reasonCode === ReasonCode.SERVER_SHUTTING_DOWN) return ReasonCode.SERVER_UNAVAILABLE;
  if (reasonCode === ReasonCode.ADMINISTRATIVE_ACTION) return ReasonCode.NOT_AUTHORIZED;
  return reasonCode;
}
