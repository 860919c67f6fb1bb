// The inputs to go on from: for each feature of an execution the cheapest input that has it. An input that is the cheapest
// for none is forgotten, so that what is kept becomes shorter and is played faster.

import type { Random } from "./random.ts";

/** One input, and for how many features it stands. */
interface Member {
  readonly input: Uint8Array;
  readonly cost: number;
  features: number;
}

/** Of all choices, this many in eight are among the newest inputs. */
const NEWEST_OF_EIGHT = 3;
const NEWEST = 64;

export class Population {
  #members: Member[] = [];
  #liveCount = 0;
  readonly #owners = new Map<number, Member>();
  /** By feature; 0 = nobody has it. Beside the owners, because it is looked at for each feature of each execution. */
  readonly #costs: Uint32Array;

  /** `featureCount`: features are numbered below it. */
  constructor(featureCount: number) {
    this.#costs = new Uint32Array(featureCount);
  }

  /** From the oldest to the newest. */
  get inputs(): Uint8Array[] {
    return this.#members.filter(({ features }) => features > 0).map(({ input }) => input);
  }

  get size(): number {
    return this.#liveCount;
  }

  /** Takes an input that has a feature which none has that costs as little. Costs are 1 to 2^32 - 1, in any unit. */
  add(input: Uint8Array, cost: number, features: Uint32Array): void {
    const costs = this.#costs;
    let member: Member | undefined;
    for (const feature of features) {
      const best = costs[feature] ?? 0;
      if (best !== 0 && best <= cost) continue;
      member ??= { input, cost, features: 0 };
      this.#give(feature, member);
      costs[feature] = cost;
    }
    if (member === undefined) return;
    this.#members.push(member);
    this.#liveCount++;
    if (this.#members.length > 2 * this.#liveCount + NEWEST) {
      this.#members = this.#members.filter(({ features: owned }) => owned > 0);
    }
  }

  #give(feature: number, member: Member): void {
    const before = this.#owners.get(feature);
    if (before !== undefined && --before.features === 0) this.#liveCount--;
    this.#owners.set(feature, member);
    member.features++;
  }

  /** One of them, a cheap one more often; undefined when there is none. */
  choose(random: Random): Uint8Array | undefined {
    const one = this.#chooseAny(random);
    const other = random.oneIn(2) ? one : this.#chooseAny(random);
    if (one === undefined || other === undefined) return undefined;
    return other.cost < one.cost ? other.input : one.input;
  }

  #chooseAny(random: Random): Member | undefined {
    const { length } = this.#members;
    if (length === 0) return undefined;
    for (;;) {
      const isNewest = random.below(8) < NEWEST_OF_EIGHT;
      const index = isNewest ? length - 1 - random.below(Math.min(NEWEST, length)) : random.below(length);
      const member = this.#members[index];
      if (member !== undefined && member.features > 0) return member;
    }
  }
}
