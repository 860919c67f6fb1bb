// What arrived and was not looked at yet, in order. A test waits for the next thing without sleeping.

import { within } from "./within.ts";

/** Milliseconds. What is not there by then is not coming. */
const LIMIT_MS = 30_000;

export class Mailbox<Item> {
  readonly #items: Item[] = [];
  #wake: (() => void) | undefined;

  /** How many wait. */
  get size(): number {
    return this.#items.length;
  }

  put(item: Item): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** The next item. One caller at a time. @throws Error when none arrives within ten seconds. */
  async take(): Promise<Item> {
    const arrived = new Promise<"arrived">((resolve) => {
      this.#wake = () => resolve("arrived");
    });
    if (this.#items.length === 0 && (await within(LIMIT_MS, arrived)) === undefined) {
      throw new Error("nothing arrived within ten seconds");
    }
    const item = this.#items.shift();
    if (item === undefined) throw new Error("someone else took it");
    return item;
  }

  /** The next `count` items. */
  async takeAll(count: number): Promise<Item[]> {
    const items: Item[] = [];
    while (items.length < count) items.push(await this.take());
    return items;
  }
}
