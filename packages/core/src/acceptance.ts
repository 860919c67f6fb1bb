// Takes one message that its publisher may publish: checks space and limits, keeps it if it is retained, brings it to its
// receivers, and says what the publisher is to be told and after which batch. Shared by PUBLISH, wills and applications.

import { ReasonCode } from "@heirloom/codec";
import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";
import type { FanOut } from "./fan-out.ts";
import type { Log } from "./logs/log.ts";
import { MemoryStep } from "./memory-ceiling.ts";
import type { Message } from "./message.ts";
import type { RetainedMessages } from "./retained.ts";

/** A message that is held. */
export interface Waiting {
  /** Whether there is room at last. */
  readonly hasRoom: Promise<boolean>;
  /** Nobody wants to publish it any more. */
  giveUp(): void;
}

export class Acceptance {
  readonly #context: Context;
  readonly #fanOut: FanOut;
  readonly #retained: RetainedMessages;
  /** Publishers that wait for room: each can look whether there is some now. */
  readonly #waiting = new Set<{ look(): void; giveUp(): void }>();
  /** What is to be accepted behind the message that is being brought to its receivers. */
  readonly #behind: (() => void)[] = [];
  #isBusy = false;
  /** Whether the message accepted last has to be on disk before its publisher is told so. */
  isStored = false;

  constructor(context: Context, fanOut: FanOut, retained: RetainedMessages) {
    this.#context = context;
    this.#fanOut = fanOut;
    this.#retained = retained;
  }

  /** Whether a message is being brought to its receivers: nothing may be accepted until that is done. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Publishers that wait for room, by the policy "hold". */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Runs what accepts a message: at once, or behind the one that is being brought to its receivers. Such a receiver may be disconnected
   * for being slow, and its will is not to come in between: those who get the first message later would take it for read.
   */
  inOrder(accept: () => void): void {
    if (this.#isBusy) this.#behind.push(accept);
    else accept();
  }

  /**
   * Takes a message, or refuses it and changes nothing.
   *
   * `withReceipt`: a QoS 2 packet identifier goes to disk with it, so that nobody may see it before. `account`: whose
   * message it is, kept with a retained one.
   *
   * @returns the reason code for the publisher: success, 0x10 or 0x97.
   */
  accept(message: Message, withReceipt: boolean, account: string | undefined): number {
    const match = this.#fanOut.match(message.topicName);
    const isStored = message.retain || (message.qos > 0 && match.logs.length > 0);
    this.isStored = isStored;
    const isTight = this.#context.memory.isTaken(MemoryStep.MESSAGES);
    if (isTight || (isStored && !this.#hasSpace(message, match.logs, account))) {
      this.#context.counters.refused++;
      return ReasonCode.QUOTA_EXCEEDED;
    }
    const isSecret = message.qos === 2 && (withReceipt || isStored);
    const isFirst = !this.#isBusy;
    this.#isBusy = true;
    try {
      this.#fanOut.publish(message, match, isSecret ? this.#context.turn.batch() : 0);
      if (message.retain) this.#retained.set(message, account);
      if (isFirst) this.#acceptBehind();
    } finally {
      if (isFirst) this.#isBusy = false;
    }
    this.isStored = isStored;
    const isMatched = match.recipients.length > 0 || match.logs.length > 0 || match.groups.length > 0;
    return isMatched ? ReasonCode.SUCCESS : ReasonCode.NO_MATCHING_SUBSCRIBERS;
  }

  /** What these bring about comes behind them. */
  #acceptBehind(): void {
    for (const accept of this.#behind) accept();
    this.#behind.length = 0;
  }

  #hasSpace(message: Message, logs: readonly Log[], account: string | undefined): boolean {
    const { turn, limits } = this.#context;
    if (turn.isFull) return false;
    // One message in the logs of thousands of filters must not fill memory and disk.
    if (logs.length > 1 && message.heldBytes * logs.length > limits.messageLogBytes) return false;
    if (message.retain && message.payloadLength > 0 && !this.#retained.hasRoom(message, account))
      return false;
    return limits.queuePolicy !== "refuse" || message.qos === 0 || !this.#isAnyFull(logs);
  }

  #isAnyFull(logs: readonly Log[]): boolean {
    const { limits, turn } = this.#context;
    return logs.some((log) => log.isFull(limits, turn.number));
  }

  /**
   * `undefined` when there is room. Otherwise something to wait for before `accept`: while the disk does not keep up, and
   * by the policy "hold" while a queue is full. It says whether there is room at last. Some wait for themselves: a client's
   * acknowledgements stand behind its PUBLISH that is held for its own queue. So nobody waits for ever.
   */
  room(topicName: string): Waiting | undefined {
    const { counters, limits } = this.#context;
    if (counters.unsavedBytes <= limits.unsavedBytes && limits.queuePolicy !== "hold") return undefined;
    return this.#hasRoom(topicName) ? undefined : this.#waitForRoom(topicName);
  }

  #hasRoom(topicName: string): boolean {
    const { counters, limits, turn } = this.#context;
    const { logs } = this.#fanOut.match(topicName);
    // On a full disk nobody waits: messages are refused.
    if (counters.unsavedBytes > limits.unsavedBytes && logs.length > 0 && !turn.isFull) return false;
    return limits.queuePolicy !== "hold" || !this.#isAnyFull(logs);
  }

  #waitForRoom(topicName: string): Waiting {
    const { deadlines, turn, limits, counters } = this.#context;
    let resolve = (_: boolean): void => undefined;
    const hasRoom = new Promise<boolean>((settle) => (resolve = settle));
    const end = (answer: boolean): void => {
      deadlines.clear(longest);
      this.#waiting.delete(waiting);
      counters.held = this.#waiting.size;
      resolve(answer);
    };
    const giveUp = (): void => end(false);
    const look = (): void => {
      if (this.#hasRoom(topicName)) end(true);
    };
    const waiting = { look, giveUp };
    const longest = new Deadline(giveUp);
    this.#waiting.add(waiting);
    counters.held = this.#waiting.size;
    deadlines.set(longest, turn.nowMs + limits.holdTimeoutMs);
    return { hasRoom, giveUp };
  }

  /** The broker stops: nobody gets room any more. */
  stop(): void {
    for (const { giveUp } of this.#waiting) giveUp();
  }

  /** Queues became shorter, or ended, or the disk kept up, or is full: publishers that wait look again. */
  roomChanged(): void {
    for (const { look } of this.#waiting) look();
  }
}
