// How much each account has retained, so that one of them does not take the room of all. Counted only where there is such a
// limit: what a topic had before has to be read for it.

import type { Limits } from "./limits.ts";

interface Kept {
  messages: number;
  bytes: number;
}

export class RetainedAccounts {
  readonly #limits: Limits;
  readonly #kept = new Map<string, Kept>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether there is a limit that one account can reach before all together reach theirs. */
  get isBounded(): boolean {
    const { retainedMessagesPerAccount, retainedMessages, retainedBytesPerAccount, retainedBytes } =
      this.#limits;
    return retainedMessagesPerAccount < retainedMessages || retainedBytesPerAccount < retainedBytes;
  }

  /** Whether an account may have so much more; less of something is always fine. */
  hasRoom(account: string, messages: number, bytes: number): boolean {
    const kept = this.#kept.get(account) ?? { messages: 0, bytes: 0 };
    const { retainedMessagesPerAccount, retainedBytesPerAccount } = this.#limits;
    if (messages > 0 && kept.messages + messages > retainedMessagesPerAccount) return false;
    return bytes <= 0 || kept.bytes + bytes <= retainedBytesPerAccount;
  }

  /** A message of so many bytes is kept (+1) or not kept any more (-1). `undefined` = an anonymous client's. */
  count(account: string | undefined, change: 1 | -1, bytes: number): void {
    if (account === undefined) return;
    const kept = this.#kept.get(account) ?? { messages: 0, bytes: 0 };
    kept.messages += change;
    kept.bytes += change * bytes;
    if (kept.messages === 0) this.#kept.delete(account);
    else this.#kept.set(account, kept);
  }
}
