// Retained messages: one per topic, in memory and on disk, given to new subscribers a few at a time.
// In memory each is one string of packed bytes, the same that stand on disk: a million of them must not cost a million
// objects. MQTT 5.0 sections 3.3.1.3 and 3.8.4; 3.1.1 sections 3.3.1.3 and 3.8.4.

import { packBytes, unpackBytes, Writer } from "@heirloom/codec";
import { ClientAccess } from "./access.ts";
import { ByteReader } from "./byte-reader.ts";
import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";
import { type Entry, readEntry, writeEntry } from "./logs/entry.ts";
import type { Message } from "./message.ts";
import { lostClient, type ClientInfo } from "./ports/hooks.ts";
import type { StoreBatch } from "./ports/store.ts";
import type { Replay, Session } from "./sessions/session.ts";
import type { Subscription } from "./subscription.ts";
import { RetainedAccounts } from "./retained-accounts.ts";
import { type NameMatcher, NameTree } from "./topics/index.ts";
import type { Stored } from "./turn.ts";

export class RetainedMessages implements Stored {
  unsaved = false;
  readonly #context: Context;
  readonly #tree: NameTree<string>;
  /** Absent where accounts have no limit of their own. */
  readonly #accounts: RetainedAccounts | undefined;
  /** Only messages with an expiry have one. */
  readonly #expiries = new Map<string, Deadline>();
  #changed = new Set<string>();
  /** Number of the message that was kept last: later ones are not replayed to subscriptions that stood before. */
  #lastNumber = 0;

  constructor(context: Context, hashSeed: number) {
    this.#context = context;
    this.#tree = new NameTree(hashSeed);
    const accounts = new RetainedAccounts(context.limits);
    this.#accounts = accounts.isBounded ? accounts : undefined;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Whether a message with a payload may be kept: within the limits, or no larger than what its topic has. */
  hasRoom(message: Message, account: string | undefined): boolean {
    const { limits, counters } = this.#context;
    const before = this.#tree.get(message.topicName);
    if (account !== undefined && this.#accounts !== undefined) {
      const own = before !== undefined && ownerOf(before) === account ? before : undefined;
      const grownBytes = pack(message, this.#lastNumber, account).length - (own?.length ?? 0);
      if (!this.#accounts.hasRoom(account, own === undefined ? 1 : 0, grownBytes)) return false;
    }
    if (before === undefined && this.#tree.size >= limits.retainedMessages) return false;
    // Only near the limit it is packed to be measured.
    if (counters.retainedBytes + mostPackedBytes(message, account) <= limits.retainedBytes) return true;
    const grownBytes = pack(message, this.#lastNumber, account).length - (before?.length ?? 0);
    return grownBytes <= 0 || counters.retainedBytes + grownBytes <= limits.retainedBytes;
  }

  get(topicName: string): Message | undefined {
    const packed = this.#tree.get(topicName);
    return packed === undefined ? undefined : unpack(packed).message.own();
  }

  /**
   * Takes a message with RETAIN 1: keeps it, or deletes what the topic has when its payload is empty. `account`: who
   * published it.
   */
  set(message: Message, account: string | undefined): void {
    const { topicName } = message;
    if (message.payloadLength > 0)
      this.#keep(topicName, pack(message, ++this.#lastNumber, account), message.expiresAtMs, account);
    else if (this.#tree.get(topicName) === undefined) return;
    else this.#forget(topicName);
    this.#changed.add(topicName);
    this.#context.turn.save(this);
  }

  #keep(topicName: string, packed: string, expiresAtMs: number, account: string | undefined): void {
    const { counters } = this.#context;
    this.#uncount(topicName);
    this.#accounts?.count(account, 1, packed.length);
    counters.retainedBytes += packed.length - (this.#tree.get(topicName)?.length ?? 0);
    this.#tree.set(topicName, packed);
    counters.retained = this.#tree.size;
    this.#clearExpiry(topicName);
    if (expiresAtMs === Infinity) return;
    const deadline = new Deadline(() => this.#expired(topicName));
    this.#expiries.set(topicName, deadline);
    this.#context.deadlines.set(deadline, expiresAtMs);
  }

  /** Takes what a topic has off its publisher's account. */
  #uncount(topicName: string): void {
    if (this.#accounts === undefined) return;
    const packed = this.#tree.get(topicName);
    if (packed !== undefined) this.#accounts.count(ownerOf(packed), -1, packed.length);
  }

  #forget(topicName: string): void {
    const { counters } = this.#context;
    this.#uncount(topicName);
    counters.retainedBytes -= this.#tree.get(topicName)?.length ?? 0;
    this.#tree.delete(topicName);
    counters.retained = this.#tree.size;
    this.#clearExpiry(topicName);
  }

  #expired(topicName: string): void {
    this.#context.counters.retainedExpired++;
    this.#forget(topicName);
    this.#changed.add(topicName);
    this.#context.turn.save(this);
  }

  #clearExpiry(topicName: string): void {
    const deadline = this.#expiries.get(topicName);
    if (deadline === undefined) return;
    this.#context.deadlines.clear(deadline);
    this.#expiries.delete(topicName);
  }

  save(batch: StoreBatch): void {
    for (const topicName of this.#changed) {
      const packed = this.#tree.get(topicName);
      if (packed === undefined) batch.delete("retained", topicName);
      else batch.put("retained", topicName, unpackBytes(packed));
    }
    this.#changed = new Set();
  }

  /** Takes up a message after a restart. */
  restore(value: Uint8Array): void {
    const { message, sequence } = readEntry(value, 0);
    this.#lastNumber = Math.max(this.#lastNumber, sequence);
    const packed = packBytes(value);
    const account = this.#accounts === undefined ? undefined : ownerOf(packed);
    this.#keep(message.topicName, packed, message.expiresAtMs, account);
  }

  /** Gives what matches a new subscription to its session, in steps. */
  replay(topicFilter: string, subscription: Subscription): Replay {
    return new RetainedReplay(this.#context, this.#tree.matcher(topicFilter), subscription, this.#lastNumber);
  }
}

const scratch = new Writer();

/** The form of an entry of a log, with the message's number in place of a sequence number, and the account behind it. */
function pack(message: Message, number: number, account: string | undefined): string {
  scratch.reset();
  writeEntry(scratch, message, number, [], true);
  if (account !== undefined) scratch.string(account);
  return packBytes(scratch.bytes.subarray(0, scratch.length));
}

/** At least as many bytes as the message takes when it is packed: three for a UTF-16 unit is the most that UTF-8 needs. */
function mostPackedBytes(message: Message, account = ""): number {
  const { topicName, publisherId, forwarded, payloadLength } = message;
  return 3 * (topicName.length + publisherId.length + account.length) + forwarded.length + payloadLength + 64;
}

let unpacked = new Uint8Array(4_096);

/** The message's bytes stay only until the next call: `own()` it to keep it. */
function unpack(packed: string): Entry {
  if (packed.length > unpacked.length) unpacked = new Uint8Array(packed.length * 2);
  return readEntry(unpackBytes(packed, unpacked), 0);
}

/** Who published what `unpack` returned last; `entry` is that. */
function accountOf(packed: string, entry: Entry): string | undefined {
  return packed.length > entry.bytes ? new ByteReader(unpacked, entry.bytes).text() : undefined;
}

function ownerOf(packed: string): string | undefined {
  return accountOf(packed, unpack(packed));
}

/** Messages that one step gives at most, so that a wildcard over a million topics does not stop the broker. */
const STEP_MESSAGES = 256;
/** Nodes of the tree that one step visits at most when few match. */
const STEP_VISITS = 4_096;

class RetainedReplay implements Replay {
  readonly topicFilter: string;
  readonly #context: Context;
  readonly #matcher: NameMatcher<string>;
  readonly #subscription: Subscription;
  readonly #identifiers: readonly number[];
  readonly #lastNumber: number;
  #held: Message | undefined;
  /** Whose message was looked at last, and what that client may do. */
  #publisher: ClientInfo | undefined;
  #access: ClientAccess | undefined;

  /** Messages with a number above `lastNumber` came after the subscription and are delivered as they are published. */
  constructor(
    context: Context,
    matcher: NameMatcher<string>,
    subscription: Subscription,
    lastNumber: number,
  ) {
    this.#context = context;
    this.#matcher = matcher;
    this.#subscription = subscription;
    this.#lastNumber = lastNumber;
    this.topicFilter = subscription.topicFilter;
    const { subscriptionIdentifier } = subscription;
    this.#identifiers = subscriptionIdentifier === 0 ? [] : [subscriptionIdentifier];
  }

  step(session: Session): "done" | "later" | "wait" {
    for (let count = 0; count < STEP_MESSAGES; count++) {
      if (session.outlet === undefined || session.outlet.isFull) return "wait";
      const message = this.#next(session);
      if (message === undefined) return this.#matcher.done ? "done" : "later";
      if (message === "passed" || message.expiresAtMs <= this.#context.turn.nowMs) continue;
      const qos = message.qos < this.#subscription.qos ? message.qos : this.#subscription.qos;
      if (qos === 0) {
        session.offerQoS0(message, true, this.#identifiers);
      } else if (!session.offerRetained(message, qos, this.#identifiers)) {
        this.#held = message.own();
        return "wait";
      }
    }
    return "later";
  }

  close(): void {
    this.#matcher.close();
  }

  /** The next message; `"passed"` for one that came after the subscription, or whose publisher lost its right. */
  #next(session: Session): Message | "passed" | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) return held;
    const packed = this.#matcher.next(STEP_VISITS);
    if (packed === undefined) return undefined;
    const entry = unpack(packed);
    const { message, sequence } = entry;
    if (sequence > this.#lastNumber) return "passed";
    if (this.#mayStand(message, accountOf(packed, entry))) return message;
    session.leaveOut("droppedForbidden");
    return "passed";
  }

  /** Whether the account that published it may still publish there. */
  #mayStand(message: Message, account: string | undefined): boolean {
    const { rules, limits } = this.#context;
    if (rules === undefined || account === undefined || !limits.checkRetainedPublisher) return true;
    const { publisherId, topicName, qos } = message;
    if (this.#publisher?.clientId !== publisherId || this.#publisher.account !== account) {
      this.#publisher = lostClient(publisherId, account);
      this.#access = new ClientAccess(rules, this.#publisher);
    }
    const refusal = this.#access?.publish(topicName, qos, true);
    // Rules that take their time were asked when it was published.
    return refusal === undefined || refusal instanceof Promise;
  }
}
