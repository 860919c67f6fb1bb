// The judge of a crash run: what was sent and acknowledged, what arrived, and whether the two agree with the contract.
// Each message is its publisher's name and a number that goes up by one. Knows neither sockets nor packets.

import type { QoS } from "@heirloom/codec";

/** What one publisher has sent. It sends its numbers in order, at one QoS, and repeats those not acknowledged. */
export interface PublisherAccount {
  readonly name: string;
  readonly qos: QoS;
  /** The highest number sent; numbers begin with 1. */
  sent: number;
  /** Numbers that were acknowledged. */
  readonly acknowledged: Set<number>;
  /** The latest retained one that was acknowledged; 0 = none. */
  retained: number;
  /** Numbers that were sent more than once: at QoS 1 the broker may have taken them as often. */
  readonly repeated: Set<number>;
}

/** A reader: one session, or a shared group as a whole. */
export interface ReaderAccount {
  readonly name: string;
  /** The QoS that was granted. */
  readonly granted: QoS;
  /** Members of a group get a part each: order and repetition are not judged. */
  readonly isGroup: boolean;
  readonly arrivals: Map<string, Arrivals>;
}

/** What a reader got of one publisher. */
interface Arrivals {
  /** How often each number arrived. */
  readonly times: number[];
  highest: number;
  distinct: number;
}

/** The most violations that are written down: one fault causes thousands. */
const MOST_VIOLATIONS = 50;

export class Ledger {
  readonly #publishers = new Map<string, PublisherAccount>();
  readonly #readers: ReaderAccount[] = [];
  readonly violations: string[] = [];
  /** Messages that arrived, repetitions included. */
  arrivedCount = 0;
  repetitions = 0;

  addPublisher(name: string, qos: QoS): PublisherAccount {
    const account = {
      name,
      qos,
      sent: 0,
      acknowledged: new Set<number>(),
      retained: 0,
      repeated: new Set<number>(),
    };
    this.#publishers.set(name, account);
    return account;
  }

  addReader(name: string, granted: QoS, isGroup: boolean): ReaderAccount {
    const account = { name, granted, isGroup, arrivals: new Map<string, Arrivals>() };
    this.#readers.push(account);
    return account;
  }

  get acknowledgedCount(): number {
    let count = 0;
    for (const { acknowledged } of this.#publishers.values()) count += acknowledged.size;
    return count;
  }

  violation(text: string): void {
    if (this.violations.length < MOST_VIOLATIONS) this.violations.push(text);
  }

  /** A message reached the application of a reader. `dup` is the flag of its PUBLISH. */
  arrived(reader: ReaderAccount, payload: string, dup: boolean): void {
    this.arrivedCount++;
    const [name = "", text] = payload.split(" ");
    const number = Number(text);
    const publisher = this.#publishers.get(name);
    if (publisher === undefined || !(number >= 1 && number <= publisher.sent)) {
      this.violation(`${reader.name} got "${payload}", which nobody sent`);
      return;
    }
    const arrivals = arrivalsOf(reader, name);
    const times = (arrivals.times[number] ?? 0) + 1;
    arrivals.times[number] = times;
    if (times > 1) this.#repeated(reader, publisher, number, dup);
    else this.#first(reader, publisher, arrivals, number);
  }

  #first(reader: ReaderAccount, publisher: PublisherAccount, arrivals: Arrivals, number: number): void {
    arrivals.distinct++;
    if (number < arrivals.highest && !reader.isGroup) {
      this.violation(`${reader.name} got ${publisher.name} ${number} behind ${arrivals.highest}: order`);
    }
    arrivals.highest = Math.max(arrivals.highest, number);
  }

  #repeated(reader: ReaderAccount, publisher: PublisherAccount, number: number, dup: boolean): void {
    this.repetitions++;
    if (reader.isGroup) return;
    const message = `${reader.name} got ${publisher.name} ${number} again`;
    if (Math.min(publisher.qos, reader.granted) === 2) this.violation(`${message} at QoS 2`);
    // A message of QoS 1 that was sent twice may be two messages.
    else if (!dup && !(publisher.qos === 1 && publisher.repeated.has(number))) {
      this.violation(`${message} without DUP`);
    }
  }

  /** How many retained messages there have to be. */
  get retainedCount(): number {
    return [...this.#publishers.values()].filter(({ retained }) => retained > 0).length;
  }

  /** A retained message came for a new subscription, at the end of the run. */
  retained(payload: string): void {
    const [name = "", text] = payload.split(" ");
    const latest = this.#publishers.get(name)?.retained ?? 0;
    // One that was sent later and not acknowledged may have taken its place.
    if (latest === 0 || Number(text) < latest)
      this.violation(`retained is "${payload}", ${latest} was acknowledged`);
  }

  /** How many acknowledged messages a reader still has to get. */
  missing(reader: ReaderAccount): number {
    let missing = 0;
    for (const publisher of this.#publishers.values()) {
      const { times } = arrivalsOf(reader, publisher.name);
      for (const number of publisher.acknowledged) if (times[number] === undefined) missing++;
    }
    return missing;
  }

  /** Everything has been read: what is missing now is lost. */
  close(): void {
    for (const reader of this.#readers) {
      for (const publisher of this.#publishers.values()) {
        const { times } = arrivalsOf(reader, publisher.name);
        const lost = [...publisher.acknowledged].filter((number) => times[number] === undefined);
        if (lost.length === 0) continue;
        const example = lost.slice(0, 5).join(", ");
        this.violation(
          `${reader.name} lost ${lost.length} acknowledged messages of ${publisher.name}: ${example}`,
        );
      }
    }
  }
}

function arrivalsOf(reader: ReaderAccount, publisher: string): Arrivals {
  let arrivals = reader.arrivals.get(publisher);
  if (arrivals === undefined) {
    arrivals = { times: [], highest: 0, distinct: 0 };
    reader.arrivals.set(publisher, arrivals);
  }
  return arrivals;
}
