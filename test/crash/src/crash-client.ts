// A client whose session state outlives its connections and those of the broker: it is in memory here, the process that is
// killed is the other one. MQTT 5.0 section 4.4.

import { connect as connectSocket, type Socket } from "node:net";
import {
  type Connack,
  encodePacket,
  type Packet,
  PacketReader,
  PacketType,
  type ProtocolVersion,
  ReasonCode,
  type Will,
} from "@heirloom/codec";
import type { Ledger } from "./ledger.ts";

const DAY_SECONDS = 86_400;

export abstract class CrashClient {
  readonly clientId: string;
  readonly version: ProtocolVersion;
  protected readonly ledger: Ledger;
  isConnected = false;
  /** What the broker may send without waiting. For 5.0 only. */
  receiveMaximum = 65_535;
  #socket: Socket | undefined;
  /** CONNACK came once: from then on the broker knows the session. */
  #hasSession = false;

  constructor(clientId: string, version: ProtocolVersion, ledger: Ledger) {
    this.clientId = clientId;
    this.version = version;
    this.ledger = ledger;
  }

  /** Connects to the session. @throws Error when the connection is lost before CONNACK. */
  async connect(port: number): Promise<void> {
    const socket = connectSocket({ port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    const reader = new PacketReader({ side: "client", version: this.version });
    await new Promise<void>((resolve, reject) => {
      // The reason is always the same: the broker was killed.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.isConnected = false;
        reject(new Error(`${this.clientId} was not connected`));
      });
      socket.on("data", (chunk: Uint8Array) => {
        reader.push(chunk);
        this.#readAll(reader, resolve);
      });
      this.#sendConnect(socket);
    });
  }

  #readAll(reader: PacketReader, accepted: () => void): void {
    try {
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
        if (packet.type === PacketType.CONNACK) this.#accepted(packet, accepted);
        else if (packet.type === PacketType.DISCONNECT) this.#refused(packet.reasonCode);
        else this.received(packet);
      }
    } catch (error) {
      this.ledger.violation(`${this.clientId} cannot read what it got: ${String(error)}`);
      this.#socket?.destroy();
    }
  }

  #sendConnect(socket: Socket): void {
    const will = this.will();
    const packet = {
      type: PacketType.CONNECT,
      protocolVersion: this.version,
      clientId: this.clientId,
      cleanStart: false,
      keepAlive: 0,
      properties:
        this.version === 5 ? { sessionExpiryInterval: DAY_SECONDS, receiveMaximum: this.receiveMaximum } : {},
      ...(will === undefined ? {} : { will }),
    };
    socket.write(encodePacket(packet, this.version));
  }

  #accepted({ reasonCode, sessionPresent }: Connack, accepted: () => void): void {
    if (reasonCode !== 0) {
      this.ledger.violation(`${this.clientId} was refused with ${reasonCode}`);
      return;
    }
    if (this.#hasSession && !sessionPresent) this.ledger.violation(`${this.clientId} lost its session`);
    this.#hasSession = true;
    this.isConnected = true;
    accepted();
    this.connected();
  }

  #refused(reasonCode: number): void {
    if (reasonCode === ReasonCode.SERVER_SHUTTING_DOWN) return;
    this.ledger.violation(`${this.clientId} was disconnected with ${reasonCode}`);
  }

  /** What is to be published when the connection is lost. */
  protected will(): Will | undefined {
    return undefined;
  }

  /** CONNACK came: what was in flight is to be sent again. */
  protected abstract connected(): void;

  protected abstract received(packet: Packet): void;

  send(packet: Packet): void {
    this.#socket?.write(encodePacket(packet, this.version));
  }

  /** Cuts the connection, at whatever byte it is. */
  async drop(): Promise<void> {
    this.#socket?.destroy();
    await this.gone();
  }

  /** Leaves in order. */
  async leave(): Promise<void> {
    this.send({ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} });
    this.#socket?.end();
    await this.gone();
  }

  /** Resolves when there is no connection; what arrived before has been handled. */
  async gone(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.closed) return;
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  }
}
