// The network: connections that take time, come in pieces, break at any byte, go silent, or are read slowly.

import type { Connection, Transport } from "@heirloom/core";
import type { Life } from "./life.ts";
import type { Random } from "./random.ts";
import type { Event, Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";

/** The client's side of a connection. */
export interface ClientEnd {
  received(bytes: Uint8Array): void;
  closed(): void;
  /** The broker ended the connection. */
  endedByBroker(): void;
}

interface Chunk {
  readonly bytes: Uint8Array;
  event: Event | undefined;
}

/** One direction: bytes arrive in order, after a while. */
class Pipe {
  /** Infinity, or what a slow reader takes. */
  bytesPerMs = Infinity;
  /** Nothing arrives any more, and nobody is told. */
  isFrozen = false;
  /** Bytes that were sent and have not arrived. */
  waitingBytes = 0;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #latencyMs: number;
  readonly #deliver: (bytes: Uint8Array) => void;
  #chunks: Chunk[] = [];
  /** When what was sent last arrives. */
  lastMs = 0;
  #isEnded = false;

  constructor(schedule: Schedule, random: Random, latencyMs: number, deliver: (bytes: Uint8Array) => void) {
    this.#schedule = schedule;
    this.#random = random;
    this.#latencyMs = latencyMs;
    this.#deliver = deliver;
  }

  send(bytes: Uint8Array): void {
    if (this.#isEnded || bytes.length === 0) return;
    const cut = this.#random.below(8) === 0 ? this.#random.below(bytes.length) : 0;
    if (cut > 0) this.#send(bytes.subarray(0, cut));
    this.#send(bytes.subarray(cut));
  }

  #send(bytes: Uint8Array): void {
    const chunk: Chunk = { bytes, event: undefined };
    this.waitingBytes += bytes.length;
    this.#chunks.push(chunk);
    if (!this.isFrozen)
      chunk.event = this.#schedule.at(this.#arrivalMs(bytes.length), () => this.#arrive(chunk));
  }

  #arrivalMs(length: number): number {
    const earliestMs = this.#schedule.nowMs + this.#latencyMs + this.#random.below(16) / 16;
    this.lastMs = Math.max(earliestMs, this.lastMs) + length / this.bytesPerMs;
    return this.lastMs;
  }

  #arrive(chunk: Chunk): void {
    this.#chunks.shift();
    this.waitingBytes -= chunk.bytes.length;
    this.#deliver(chunk.bytes);
  }

  freeze(): void {
    this.isFrozen = true;
    for (const { event } of this.#chunks) this.#schedule.cancel(event);
  }

  /** Takes no more; calls `then` when what was sent has arrived. */
  end(then: () => void): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (!this.isFrozen) this.#schedule.at(this.#arrivalMs(0), then);
  }

  /** Breaks at some byte: what is in front of it still arrives, then `then` is called. */
  cut(then: () => void): void {
    const left = Math.min(
      this.waitingBytes,
      this.#random.below(this.waitingBytes + 1) * (this.#random.chance(0.7) ? 1 : 0),
    );
    this.#isEnded = true;
    for (const { event } of this.#chunks) this.#schedule.cancel(event);
    const rest: Uint8Array[] = [];
    let count = 0;
    for (const { bytes } of this.#chunks) {
      if (count < left) rest.push(bytes.subarray(0, left - count));
      count += bytes.length;
    }
    this.#chunks = [];
    this.waitingBytes = 0;
    this.#schedule.at(this.#arrivalMs(0), () => {
      if (!this.isFrozen) for (const bytes of rest) this.#deliver(bytes);
      if (!this.isFrozen) then();
    });
  }
}

/** One connection between a client and the broker. */
export class Link implements Transport {
  readonly remoteAddress: string;
  /** When the broker's side ended, as seen at its port; `undefined` while it has not. */
  endedMs: number | undefined;
  /** Since when the broker may have had a reason to end it. */
  causeMs: number = Infinity;
  /** Whether bytes on their way to the broker may have been lost. */
  wasCut = false;
  /** When bytes last reached the broker. */
  lastReceivedMs: number;
  readonly #schedule: Schedule;
  readonly #trace: Trace;
  readonly #client: ClientEnd;
  readonly #toBroker: Pipe;
  readonly #toClient: Pipe;
  #connection: Connection | undefined;
  #life: Life | undefined;
  #isPaused = false;
  #isCopied = false;
  #held: Uint8Array[] = [];
  #isEndHeld = false;
  #isClientGone = false;

  constructor(schedule: Schedule, random: Random, trace: Trace, client: ClientEnd, name: string) {
    const latencyMs = random.chance(0.8) ? random.below(16) / 8 : random.below(100);
    this.#schedule = schedule;
    this.#trace = trace;
    this.#client = client;
    this.remoteAddress = name;
    this.lastReceivedMs = schedule.nowMs;
    this.#toBroker = new Pipe(schedule, random, latencyMs, (bytes) => this.#arriveAtBroker(bytes));
    this.#toClient = new Pipe(schedule, random, latencyMs, (bytes) => this.#arriveAtClient(bytes));
  }

  /** The broker accepted it. */
  attach(connection: Connection, life: Life): void {
    this.#connection = connection;
    this.#life = life;
    this.#giveHeld();
  }

  // --- the client's side -----------------------------------------------------------------------------------------

  send(bytes: Uint8Array): void {
    if (!this.#isClientGone) this.#toBroker.send(bytes);
  }

  /** When everything that was sent so far has reached the broker. */
  get arrivedMs(): number {
    return this.#toBroker.lastMs;
  }

  /** The client closes: what it sent still arrives. */
  close(): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    this.cause();
    this.#toBroker.end(() => this.#endedAtBroker());
  }

  // --- faults ----------------------------------------------------------------------------------------------------

  /** The connection breaks, at some byte in each direction. */
  cut(): void {
    this.cause();
    this.wasCut = true;
    this.#toBroker.cut(() => this.#closedAtBroker());
    this.#toClient.cut(() => this.#closedAtClient());
  }

  /** Nothing arrives any more on either side, and neither learns of it. */
  freeze(): void {
    this.cause();
    this.wasCut = true;
    this.#toBroker.freeze();
    this.#toClient.freeze();
  }

  get isFrozen(): boolean {
    return this.#toBroker.isFrozen;
  }

  get isSlow(): boolean {
    return this.#toClient.bytesPerMs !== Infinity;
  }

  /** The client reads slowly from now on. */
  slow(bytesPerMs: number): void {
    this.#toClient.bytesPerMs = bytesPerMs;
  }

  /** The process died or refused: bytes that it had written may still arrive. */
  brokerDied(): void {
    this.cause();
    if (this.endedMs === undefined) this.wasCut = true;
    this.#ended();
    this.#connection = undefined;
    this.#toClient.cut(() => this.#closedAtClient());
  }

  /** From now on the broker has a reason to end the connection. */
  cause(): void {
    this.causeMs = Math.min(this.causeMs, this.#schedule.nowMs);
  }

  // --- Transport: the broker's side ------------------------------------------------------------------------------

  write(bytes: Uint8Array): boolean {
    if (this.#life?.effect() !== true) return true;
    // Every other time the bytes are held on to: if the broker overwrites them, the client gets garbage.
    this.#isCopied = !this.#isCopied;
    this.#toClient.send(this.#isCopied ? bytes.slice() : bytes);
    return this.#isCopied;
  }

  end(): void {
    if (this.#life?.effect() !== true) return;
    this.#ended();
    this.#client.endedByBroker();
    this.#toClient.end(() => this.#closedAtClient());
  }

  destroy(): void {
    if (this.#life?.effect() !== true) return;
    this.#ended();
    this.#client.endedByBroker();
    this.#toClient.cut(() => this.#closedAtClient());
  }

  pause(paused: boolean): void {
    this.#isPaused = paused;
    if (paused) return;
    this.#schedule.after(0, () => this.#giveHeld());
  }

  get bufferedBytes(): number {
    return this.#toClient.isFrozen || this.#toClient.bytesPerMs !== Infinity
      ? this.#toClient.waitingBytes
      : 0;
  }

  // --- arrivals --------------------------------------------------------------------------------------------------

  #arriveAtBroker(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#giveHeld();
  }

  /** What arrived goes to the broker in order, as far as it reads; the end comes behind it. */
  #giveHeld(): void {
    while (!this.#isPaused && this.#connection !== undefined) {
      const bytes = this.#held.shift();
      if (bytes === undefined) break;
      this.lastReceivedMs = this.#schedule.nowMs;
      this.#trace.bytes(bytes);
      // The broker may keep the bytes: they are its own.
      this.#life?.run(() => this.#connection?.receive(bytes.slice()));
    }
    if (this.#isEndHeld && !this.#isPaused) this.#closedAtBroker();
  }

  /** The client closed in good order: who does not read does not see it. */
  #endedAtBroker(): void {
    this.#isEndHeld = true;
    this.#giveHeld();
  }

  #arriveAtClient(bytes: Uint8Array): void {
    this.#trace.bytes(bytes);
    if (!this.#isClientGone) this.#client.received(bytes);
    if (this.#toClient.bytesPerMs === Infinity || this.#toClient.waitingBytes > 0) return;
    this.#life?.run(() => this.#connection?.drained());
  }

  #closedAtBroker(): void {
    if (this.#connection === undefined) return;
    this.#ended();
    this.#life?.run(() => this.#connection?.closed());
  }

  #closedAtClient(): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    this.#toBroker.end(() => this.#endedAtBroker());
    this.#client.closed();
  }

  #ended(): void {
    this.endedMs ??= this.#schedule.nowMs;
  }
}
