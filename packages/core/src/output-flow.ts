// The bytes on their way to one client: counts those that wait, says when they are too many, and gives them to the transport
// when the turn ends or its network has room again. Knows nothing of packets.

import type { ConnectionState } from "./connection-state.ts";
import type { Context } from "./context.ts";
import { MemoryStep } from "./memory-ceiling.ts";
import { Output } from "./output.ts";
import type { Transport } from "./ports/transport.ts";
import type { Session } from "./sessions/session.ts";
import type { Flushable } from "./turn.ts";

/** Above this many waiting bytes, QoS 1 and 2 deliveries wait in their session. */
const FULL_BYTES = 262_144;

// The base of a connection instead of a part of it: how much may wait depends on its state and its session, and a part would
// cost one more object for each connection and one more step for each message.
export abstract class OutputFlow implements Flushable {
  readonly context: Context;
  readonly transport: Transport;
  readonly output: Output = new Output();
  state: ConnectionState = "new";
  /** It is the session that is told when there is room again. */
  session: Session | undefined;
  unflushed = false;
  /** Nothing is given to the transport any more. */
  #isClosing = false;
  #bufferedBytes = 0;
  /** What counts in `outputBytes`. */
  #waitingBytes = 0;
  #wasFull = false;

  constructor(context: Context, transport: Transport) {
    this.context = context;
    this.transport = transport;
  }

  /** The client is not to be read from while so much waits for it, or it may be again. Called more often than that changes. */
  protected abstract holdBack(isHeldBack: boolean): void;

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

  /** Whether a message that may be dropped may be added. `isCopied`: it takes memory of its own. */
  protected hasRoomForQoS0(isCopied: boolean): boolean {
    const { waitingBytes } = this;
    return waitingBytes <= this.context.limits.outputBytes && !this.#isBeyondShare(isCopied, waitingBytes);
  }

  /** Whether all connections together have too much waiting, and this one its share or a message that has to be copied. */
  #isBeyondShare(isCopied: boolean, waitingBytes: number): boolean {
    const { outputBudget, memory } = this.context;
    if (memory.isTaken(MemoryStep.QOS_0) && this.#bufferedBytes > 0) return true;
    if (!outputBudget.isCrowded) return false;
    if (waitingBytes > 0 && waitingBytes >= outputBudget.shareBytes) return true;
    return outputBudget.isExhausted && isCopied;
  }

  /** What is written from now on waits until the batch is on disk. */
  waitFor(batch: number): void {
    this.output.waitFor(batch, this.context.turn.durable);
  }

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
    if (this.state === "ended" && (!this.output.isWaiting || this.context.turn.isFull)) {
      this.#isClosing = true;
      // With a full disk nobody knows when what waits may be sent, and meanwhile no limit would count this socket.
      this.output.clear();
      this.#bufferedChanged(0);
      this.transport.end();
      return false;
    }
    this.#pumpIfRoom();
    return this.output.isWaiting;
  }

  /** The transport took everything that was given to it. */
  drained(): void {
    this.#bufferedChanged(this.transport.bufferedBytes);
    this.#pumpIfRoom();
  }

  /** Nothing more can be sent: the transport is gone. */
  protected abandonOutput(): void {
    this.#isClosing = true;
    this.output.clear();
    this.#bufferedChanged(0);
  }

  /** Input was handled: its answers are looked at before the turn ends. */
  answered(): void {
    if (this.output.length > this.#waitingBytes) this.#waitingChanged();
  }

  #bufferedChanged(bytes: number): void {
    this.#bufferedBytes = bytes;
    this.#waitingChanged();
  }

  /**
   * Who does not take the answers may ask no more: each packet of a client costs at least one. Messages alone do not lead
   * here, they stop earlier: a subscriber that is only slow goes on to be heard, and is not taken for dead.
   */
  #waitingChanged(): void {
    this.countWaiting();
    const { outputBudget, limits } = this.context;
    const mostBytes = outputBudget.isOver
      ? outputBudget.shareBytes
      : 2 * limits.outputBytes + limits.maximumPacketSize;
    this.holdBack(this.#waitingBytes > mostBytes);
  }

  /** Counts what was written for all connections together. */
  protected countWaiting(): void {
    const waitingBytes = this.output.length + this.#bufferedBytes;
    if (waitingBytes === this.#waitingBytes) return;
    const changedBytes = waitingBytes - this.#waitingBytes;
    this.#waitingBytes = waitingBytes;
    this.context.outputBudget.changed(changedBytes);
  }

  #pumpIfRoom(): void {
    if (!this.#wasFull || this.session === undefined || this.state !== "connected") return;
    if (this.output.length + this.#bufferedBytes >= FULL_BYTES) return;
    this.#wasFull = false;
    this.context.pumps.add(this.session);
  }
}
