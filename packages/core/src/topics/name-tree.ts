// Topic Names with a value each, as retained messages need them, and the question which of them match a Topic
// Filter. The answer comes step by step, so that a filter that matches a million messages blocks nobody. MQTT 5.0
// sections 3.3.1.3 and 4.7, 3.1.1 sections 3.3.1.3 and 4.7.

import { LevelTree, NONE, ROOT } from "./level-tree.ts";
import { DOLLAR } from "./topic-text.ts";

/** A walk over the values whose names match a filter, in no particular order. */
export interface NameMatcher<T> {
  /** Whether the walk is over. */
  readonly done: boolean;

  /**
   * The next value, or `undefined` when the walk is over or has met `maxVisits` nodes; {@link done} tells which.
   *
   * The tree may change between two calls. A name that is there all the time is found exactly once; one that is
   * added or deleted meanwhile may be missing, but is not found twice.
   */
  next(maxVisits?: number): T | undefined;

  /** Ends the walk. A walk that is left without keeps the node on which it stands in memory. */
  close(): void;
}

/**
 * A map from Topic Names to values. Names and filters have to be valid (`checkTopicName`, `checkTopicFilter`).
 *
 * Memory: about 50 to 80 bytes for each level that no other name shares, and its text once for the whole tree.
 * The names themselves are not kept. Memory of deleted names is used again, not given back.
 */
export class NameTree<T extends NonNullable<unknown>> {
  readonly #tree: LevelTree;
  /** By node: the value of the name that ends there. */
  readonly #values: (T | undefined)[] = [];
  #size = 0;

  /** @param hashSeed - 32 random bits, so that nobody can choose topics that collide; fixed in simulations. */
  constructor(hashSeed: number = 0) {
    this.#tree = new LevelTree(hashSeed);
  }

  /** Number of names. */
  get size(): number {
    return this.#size;
  }

  get(topicName: string): T | undefined {
    const node = this.#tree.find(topicName);
    return node === NONE ? undefined : this.#values[node];
  }

  /** Sets the value of a name in place of the one that it had. */
  set(topicName: string, value: T): void {
    const node = this.#tree.grow(topicName);
    while (this.#values.length <= node) this.#values.push(undefined);
    if (this.#values[node] === undefined) {
      this.#tree.hold(node);
      this.#size++;
    }
    this.#values[node] = value;
  }

  /** @returns whether the name was there. */
  delete(topicName: string): boolean {
    const node = this.#tree.find(topicName);
    if (node === NONE || this.#values[node] === undefined) return false;
    this.#values[node] = undefined;
    this.#size--;
    this.#tree.release(node);
    return true;
  }

  /**
   * Begins a walk over the values whose names match. It goes only where the filter leads: `a/+/c` costs one visit
   * for "a" and for each child of "a", and one for each "c" below.
   */
  matcher(topicFilter: string): NameMatcher<T> {
    return new TreeWalk(this.#tree, this.#values, topicFilter);
  }
}

class TreeWalk<T> implements NameMatcher<T> {
  readonly #tree: LevelTree;
  readonly #values: readonly (T | undefined)[];
  /** The filter's levels without a final "#". */
  readonly #levels: string[];
  readonly #endsWithHash: boolean;
  // The node on which the walk stands is held. If it is deleted, it stays in its place with nothing in it, and so
  // does the path to it: from there the walk finds the way on.
  #node: number = ROOT;
  #depth = 0;
  #done = false;

  constructor(tree: LevelTree, values: readonly (T | undefined)[], topicFilter: string) {
    this.#tree = tree;
    this.#values = values;
    this.#levels = topicFilter.split("/");
    this.#endsWithHash = this.#levels.at(-1) === "#";
    if (this.#endsWithHash) this.#levels.pop();
    tree.hold(ROOT);
  }

  get done(): boolean {
    return this.#done;
  }

  next(maxVisits: number = Infinity): T | undefined {
    if (this.#done) return undefined;
    const before = this.#node;
    const value = this.#search(maxVisits);
    // First hold, then release: else the path that both share could go away in between. The search may have ended the walk.
    if (!this.done) this.#tree.hold(this.#node);
    this.#tree.release(before);
    return value;
  }

  close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#tree.release(this.#node);
  }

  /** Walks to the next node with a value to report. */
  #search(maxVisits: number): T | undefined {
    for (let visits = 0; visits < maxVisits; visits++) {
      if (!this.#step()) {
        this.#done = true;
        return undefined;
      }
      // No step goes deeper than the filter allows; what is not too high fits.
      if (this.#depth < this.#levels.length) continue;
      const value = this.#values[this.#node];
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** One node on, parents before children. Returns false when it is back on the root. */
  #step(): boolean {
    const child = this.#firstFit();
    if (child !== NONE) {
      this.#node = child;
      this.#depth++;
      return true;
    }
    while (this.#depth > 0) {
      const sibling = this.#isWild(this.#depth - 1)
        ? this.#visible(this.#tree.nextSibling(this.#node))
        : NONE;
      if (sibling !== NONE) {
        this.#node = sibling;
        return true;
      }
      this.#node = this.#tree.parent(this.#node);
      this.#depth--;
    }
    return false;
  }

  /** The first child that fits the filter, or `NONE`. */
  #firstFit(): number {
    if (this.#isWild(this.#depth)) return this.#visible(this.#tree.firstChild(this.#node));
    const level = this.#levels[this.#depth];
    return level === undefined ? NONE : this.#tree.child(this.#node, this.#tree.levelOf(level));
  }

  #isWild(depth: number): boolean {
    return depth < this.#levels.length ? this.#levels[depth] === "+" : this.#endsWithHash;
  }

  /** `node` or the first sibling behind it that a wildcard may see: 5.0 [MQTT-4.7.2-1]. */
  #visible(node: number): number {
    let at = node;
    while (at !== NONE && this.#tree.parent(at) === ROOT && this.#tree.nameOf(at).charCodeAt(0) === DOLLAR) {
      at = this.#tree.nextSibling(at);
    }
    return at;
  }
}
