// A subscriber inside the application: a clean session whose way out is a function instead of a socket.

import type { Context } from "./context.ts";
import type { Message } from "./message.ts";
import type { Outlet } from "./sessions/outlet.ts";
import type { Session } from "./sessions/session.ts";
import type { Flushable } from "./turn.ts";

/** Receives messages. A promise it returns holds back the acknowledgement of a QoS 1 or 2 message. */
export type MessageHandler = (
  message: Message,
  delivery: { readonly qos: number; readonly retain: boolean },
) => void | Promise<void>;

interface Waiting {
  readonly message: Message;
  readonly qos: number;
  readonly packetId: number;
  readonly retain: boolean;
  readonly batch: number;
}

/** ClientIds of the application's own subscriptions begin with this; no client may take one over. */
export const LOCAL_CLIENT_IDS = "$local/";

/** QoS 0 messages that may wait for a handler within one turn; more are dropped and counted. */
const MOST_WAITING = 100_000;

export class LocalOutlet implements Outlet, Flushable {
  unflushed = false;
  session: Session | undefined;
  readonly isFull = false;
  readonly #context: Context;
  readonly #handler: MessageHandler;
  readonly #failed: (error: unknown) => void;
  readonly #end: () => void;
  #waiting: Waiting[] = [];
  #batch = 0;

  /** `end` is to end the session: its handler cannot keep up. */
  constructor(context: Context, handler: MessageHandler, failed: (error: unknown) => void, end: () => void) {
    this.#context = context;
    this.#handler = handler;
    this.#failed = failed;
    this.#end = end;
  }

  mayReceive(): boolean {
    return true;
  }

  omission(): undefined {
    return undefined;
  }

  sendPublish(message: Message, qos: number, packetId: number, _dup: boolean, retain: boolean): void {
    this.#waiting.push({ message: message.own(), qos, packetId, retain, batch: this.#batch });
    this.#context.turn.flushLater(this);
  }

  sendQoS0(message: Message, retain: boolean): void {
    if (this.#waiting.length >= MOST_WAITING) this.#context.counters.droppedQoS0++;
    else this.sendPublish(message, 0, 0, false, retain);
  }

  sendPubrel(packetId: number): void {
    this.session?.pubcomp(packetId);
  }

  waitFor(batch: number): void {
    this.#batch = batch;
  }

  disconnect(_reasonCode: number, reason: string): void {
    this.#end();
    // Not here, in the midst of a fan-out: the application may publish in it.
    void Promise.resolve().then(() => this.#failed(new Error(reason)));
  }

  /** Nothing more is handed over. */
  close(): void {
    this.session = undefined;
    this.#waiting = [];
  }

  flush(durable: number): boolean {
    let count = 0;
    for (const waiting of this.#waiting) {
      if (waiting.batch > durable) break;
      count++;
    }
    for (const waiting of this.#waiting.splice(0, count)) this.#deliver(waiting);
    return this.#waiting.length > 0;
  }

  #deliver(waiting: Waiting): void {
    const { message, qos, retain } = waiting;
    const failed = (error: unknown): void => {
      this.#failed(error);
      this.#acknowledge(waiting);
    };
    try {
      const pending = this.#handler(message, { qos, retain });
      if (pending === undefined) this.#acknowledge(waiting);
      else pending.then(() => this.#acknowledge(waiting), failed);
    } catch (error) {
      failed(error);
    }
  }

  #acknowledge({ qos, packetId }: Waiting): void {
    if (qos === 1) this.session?.puback(packetId, false);
    else if (qos === 2) this.session?.pubrec(packetId, false);
  }
}
