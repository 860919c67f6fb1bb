// What comes in on one connection: makes packets of its bytes and hands them on one after the other, none before the one in
// front of it is done. Decides when the client is read from: not while a handler takes its time, not while the client has to slow
// down, not while too much waits for it. Does not know which packet is legal when. MQTT 5.0 sections 4.6, 4.9, 4.13.

import { type Packet, PacketError, PacketReader, type ProtocolVersion, ReasonCode } from "@heirloom/codec";
import type { ConnectionState } from "./connection-state.ts";
import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";
import type { Listener } from "./limits.ts";
import { NO_BYTES } from "./message.ts";
import type { Mount } from "./mount.ts";
import type { Transport } from "./ports/transport.ts";
import { Rates, type SharedRates } from "./publish-rates.ts";

/** What an intake works for: a connection. */
export interface IntakeHost {
  readonly context: Context;
  readonly state: ConnectionState;
  readonly transport: Transport;
  readonly listener: Listener;
  /** Absent when the client's names are whole ones. */
  readonly mount: Mount | undefined;
  /** Whether the packet may come now. If not, nothing behind it is looked at. */
  isLegal(packet: Packet): boolean;
  /** Handles a packet that is legal now. A promise holds back the packets behind it. */
  handle(packet: Packet): Promise<void> | void;
  /** The bytes are no packet. */
  refuseBytes(error: PacketError): void;
  /** Packets were handled outside of `receive`: what they were answered is to be looked at. */
  answered(): void;
  /** The client or a part of ours did what ends the connection. */
  fail(reasonCode: number, reason: string): void;
}

export class PacketIntake {
  readonly #host: IntakeHost;
  readonly #reader: PacketReader;
  readonly #rates: Rates | undefined;
  /** When a client that sent too fast is read again. */
  #rest: Deadline | undefined;
  /** What counts in `inputBytes`. */
  #heldBytes = 0;
  /** A handler takes its time, or the client has to slow down. */
  #isBusy = false;
  #isHeldBack = false;

  constructor(host: IntakeHost, sharedRates: SharedRates) {
    const { context, listener } = host;
    const { maximumConnectSize, maximumControlSize, userProperties } = context.limits;
    this.#host = host;
    this.#rates = Rates.of(context.limits, listener, sharedRates, context.turn.nowMs);
    this.#reader = new PacketReader({
      side: "server",
      maximumPacketSize: maximumConnectSize,
      maximumControlSize: Math.max(maximumControlSize, maximumConnectSize),
      maximumUserProperties: userProperties,
    });
  }

  /** Whether packets wait for the one in front of them, or for the client's rest to end. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** The version that the client speaks, as far as it is known. */
  get version(): ProtocolVersion | undefined {
    return this.#reader.version;
  }

  /** Bytes arrived. */
  receive(chunk: Uint8Array): void {
    this.#reader.push(chunk);
    if (!this.#isBusy) this.#process();
    if (this.#reader.heldBytes !== this.#heldBytes) this.#heldChanged();
  }

  /** The client was accepted: from now on its packets may have their ordinary size. */
  accepted(): void {
    const { context, listener, transport } = this.#host;
    this.#reader.maximumControlSize = context.limits.maximumControlSize;
    this.#reader.maximumPacketSize = listener.maximumPacketSize ?? context.limits.maximumPacketSize;
    transport.accepted?.();
  }

  /** The connection ended: nothing more is read. */
  close(): void {
    const { counters, deadlines } = this.#host.context;
    this.#reader.close();
    counters.inputBytes -= this.#heldBytes;
    this.#heldBytes = 0;
    if (this.#rest !== undefined) deadlines.clear(this.#rest);
  }

  /** Too much waits for the client: it is not read from; or not any more. */
  holdBack(isHeldBack: boolean): void {
    if (isHeldBack === this.#isHeldBack || this.#host.state === "ended") return;
    this.#isHeldBack = isHeldBack;
    if (!this.#isBusy) this.#host.transport.pause(isHeldBack);
  }

  /** What is kept of packets that have not ended. While all connections keep too much, none keeps more than its share. */
  #heldChanged(): void {
    const { counters, limits } = this.#host.context;
    const before = this.#heldBytes;
    this.#heldBytes = this.#reader.heldBytes;
    counters.inputBytes += this.#heldBytes - before;
    if (this.#heldBytes <= before || counters.inputBytes <= limits.totalInputBytes) return;
    if (this.#heldBytes <= limits.totalInputBytes / counters.connectionsOpen) return;
    counters.inputDropped++;
    this.#host.fail(ReasonCode.QUOTA_EXCEEDED, "packets that have not ended take too much memory");
  }

  #process(): void {
    const host = this.#host;
    const { mount } = host;
    while (!this.#isBusy && host.state !== "ended") {
      const packet = this.#nextPacket();
      if (packet === undefined) return;
      if (!host.isLegal(packet)) return;
      const restMs = this.#rates === undefined ? 0 : this.#rates.take(packet, host.context.turn.nowMs);
      if (restMs > 0 && !this.#maySendFaster()) return;
      if (mount !== undefined && !this.#enterMount(mount, packet)) return;
      const pending = host.handle(packet);
      if (pending instanceof Promise) this.#hold(pending, restMs);
      else if (restMs > 0) this.#restFor(restMs);
    }
  }

  #nextPacket(): Packet | undefined {
    try {
      return this.#reader.next();
    } catch (error) {
      this.#host.context.counters.parseErrors++;
      if (error instanceof PacketError) this.#host.refuseBytes(error);
      else this.#decoderFailed(errorOf(error));
      return undefined;
    }
  }

  /** A fault of ours, but nothing was taken of the packet yet: only this connection ends. */
  #decoderFailed(error: Error): void {
    const { counters, failedInputs, observer, turn } = this.#host.context;
    const { remoteAddress } = this.#host.transport;
    counters.decoderFailures++;
    const bytes = this.#reader.failedInput ?? NO_BYTES;
    failedInputs.add({ atMs: turn.nowMs, remoteAddress, error, bytes });
    observer.event("decoderFailed", { remoteAddress, error });
    this.#host.fail(ReasonCode.UNSPECIFIED_ERROR, "the packet could not be read");
  }

  /** What the error says is the application's own: neither the client nor a line about its end tells it. */
  #hookFailed(error: Error): void {
    const { remoteAddress } = this.#host.transport;
    this.#host.context.observer.event("hookFailed", { remoteAddress, error });
    this.#host.fail(ReasonCode.UNSPECIFIED_ERROR, "a hook failed");
  }

  /** Makes the names in a packet whole ones. @returns false when that ended the connection. */
  #enterMount(mount: Mount, packet: Packet): boolean {
    const fault = mount.enter(packet);
    if (fault === undefined) return true;
    this.#host.fail(ReasonCode.TOPIC_NAME_INVALID, fault);
    return false;
  }

  /** A client sends faster than it may: whether that packet is still taken, and the next ones later. */
  #maySendFaster(): boolean {
    const { counters, limits } = this.#host.context;
    counters.rateLimited++;
    if (limits.ratePolicy === "wait") return true;
    this.#host.fail(ReasonCode.MESSAGE_RATE_TOO_HIGH, "more packets or bytes in a second than are accepted");
    return false;
  }

  /** Nothing behind a packet is looked at before its handler is done: so acknowledgements keep the order of arrival. */
  #hold(pending: Promise<void>, restMs: number): void {
    this.#isBusy = true;
    this.#host.transport.pause(true);
    void pending
      .catch((error: unknown) => this.#hookFailed(errorOf(error)))
      .then(() => {
        if (restMs > 0) this.#restFor(restMs);
        else this.#goOn();
      });
  }

  /** Reads nothing for a while, so that the network tells the client to slow down. */
  #restFor(restMs: number): void {
    if (this.#host.state === "ended") return;
    const { deadlines, turn } = this.#host.context;
    this.#isBusy = true;
    this.#host.transport.pause(true);
    this.#rest ??= new Deadline(() => this.#goOn());
    deadlines.set(this.#rest, turn.nowMs + restMs);
  }

  #goOn(): void {
    this.#isBusy = false;
    if (this.#host.state === "ended") return;
    if (!this.#isHeldBack) this.#host.transport.pause(false);
    this.#process();
    if (this.#reader.heldBytes !== this.#heldBytes) this.#heldChanged();
    this.#host.answered();
  }
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error("what was thrown is no Error", { cause: thrown });
}
