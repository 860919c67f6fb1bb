// Topic Filters with a value each, and the question which of them match a Topic Name. Filters without wildcards
// stand in a Map under their whole text and cost one look-up together; the others stand in a tree of levels, which
// is walked level by level, never recursively, and meets each node at most once. MQTT 5.0 and 3.1.1 section 4.7.

import { levelEnd, LevelTree, NONE, ROOT } from "./level-tree.ts";
import { isWildcardFilter } from "./topic-filter.ts";
import { DOLLAR } from "./topic-text.ts";

/**
 * A map from Topic Filters to values, made for matching. Filters and topics have to be valid
 * (`checkTopicFilter`, `checkTopicName`); of a shared filter pass the part behind the share name.
 *
 * Memory: the filter's own text without wildcards; with them about 70 bytes for each level that no other filter
 * shares. Memory of deleted filters is used again, not given back.
 */
export class FilterTree<T extends NonNullable<unknown>> {
  readonly #literals = new Map<string, T>();
  readonly #tree: LevelTree;
  /** By node: the value of the filter that ends there, as "a/+" does in "+". */
  readonly #values: (T | undefined)[] = [];
  /** By node: the value of the filter that goes on with "#" there, as "a/#" does in "a". */
  readonly #deepValues: (T | undefined)[] = [];
  #wildcardCount = 0;
  // The nodes that fit the levels read so far, and those that fit one level more. Kept between calls so that a
  // match allocates nothing but its level names.
  #active: number[] = [];
  #following: number[] = [];

  /** @param hashSeed - 32 random bits, so that nobody can choose filters that collide; fixed in simulations. */
  constructor(hashSeed: number = 0) {
    this.#tree = new LevelTree(hashSeed);
  }

  /** Number of filters. */
  get size(): number {
    return this.#literals.size + this.#wildcardCount;
  }

  get(topicFilter: string): T | undefined {
    if (!isWildcardFilter(topicFilter)) return this.#literals.get(topicFilter);
    const node = this.#find(topicFilter);
    return node === undefined ? undefined : this.#valuesFor(topicFilter)[node];
  }

  /** Sets the value of a filter in place of the one that it had. */
  set(topicFilter: string, value: T): void {
    if (!isWildcardFilter(topicFilter)) {
      this.#literals.set(topicFilter, value);
      return;
    }
    const path = pathOf(topicFilter);
    const node = path === undefined ? ROOT : this.#tree.grow(path);
    while (this.#values.length <= node) {
      this.#values.push(undefined);
      this.#deepValues.push(undefined);
    }
    const values = this.#valuesFor(topicFilter);
    if (values[node] === undefined) {
      this.#tree.hold(node);
      this.#wildcardCount++;
    }
    values[node] = value;
  }

  /** @returns whether the filter was there. */
  delete(topicFilter: string): boolean {
    if (!isWildcardFilter(topicFilter)) return this.#literals.delete(topicFilter);
    const node = this.#find(topicFilter);
    const values = this.#valuesFor(topicFilter);
    if (node === undefined || values[node] === undefined) return false;
    values[node] = undefined;
    this.#wildcardCount--;
    this.#tree.release(node);
    return true;
  }

  /**
   * Calls `visit` with the value of each filter that matches, once each and in no particular order.
   *
   * Takes time in proportion to the levels and to the nodes that fit, at most to all nodes. `visit` must not
   * change the tree or match with it.
   */
  match(topicName: string, visit: (value: T) => void): void {
    const literal = this.#literals.get(topicName);
    if (literal !== undefined) visit(literal);
    if (this.#wildcardCount === 0) return;
    this.#active[0] = ROOT;
    let count = 1;
    // 5.0 [MQTT-4.7.2-1]: wildcards in place of the first level see no topic that begins with "$".
    let seesWildcards = topicName.charCodeAt(0) !== DOLLAR;
    let start = 0;
    while (count > 0) {
      const end = levelEnd(topicName, start);
      if (seesWildcards) visitAll(this.#deepValues, this.#active, count, visit);
      count = this.#descend(topicName, start, end, count, seesWildcards);
      seesWildcards = true;
      if (end === topicName.length) break;
      start = end + 1;
    }
    visitAll(this.#values, this.#active, count, visit);
    // "a/#" also matches its parent "a", section 4.7.1.2.
    visitAll(this.#deepValues, this.#active, count, visit);
  }

  /**
   * All filters with their values, in no particular order. The tree may change meanwhile; what is added or
   * deleted then may be missing or not.
   */
  *entries(): IterableIterator<[topicFilter: string, value: T]> {
    yield* this.#literals;
    let node = ROOT;
    this.#tree.hold(node);
    try {
      do {
        const path = this.#tree.pathOf(node);
        const value = this.#values[node];
        if (value !== undefined) yield [path, value];
        const deepValue = this.#deepValues[node];
        if (deepValue !== undefined) yield [node === ROOT ? "#" : `${path}/#`, deepValue];
        const next = this.#tree.nextInOrder(node);
        this.#tree.hold(next);
        this.#tree.release(node);
        node = next;
      } while (node !== NONE);
    } finally {
      this.#tree.release(node);
    }
  }

  /** Goes from the active nodes to their children that fit the level from `start` to `end`; returns how many. */
  #descend(topicName: string, start: number, end: number, count: number, seesWildcards: boolean): number {
    const active = this.#active;
    const following = this.#following;
    let level: number | undefined;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const node = active[i] ?? ROOT;
      const plus = this.#tree.plusChild(node);
      if (plus !== NONE && seesWildcards) following[found++] = plus;
      if (!this.#tree.hasNamedChild(node)) continue;
      level ??= this.#tree.levelOf(topicName.slice(start, end));
      const child = this.#tree.child(node, level);
      if (child !== NONE) following[found++] = child;
    }
    this.#active = following;
    this.#following = active;
    return found;
  }

  /** The node that has the filter's value, or `undefined`; here the root counts, for "#". */
  #find(topicFilter: string): number | undefined {
    const path = pathOf(topicFilter);
    if (path === undefined) return ROOT;
    const node = this.#tree.find(path);
    return node === NONE ? undefined : node;
  }

  #valuesFor(topicFilter: string): (T | undefined)[] {
    return topicFilter.endsWith("#") ? this.#deepValues : this.#values;
  }
}

/** The levels of a wildcard filter without its "#", or `undefined` for "#", which has no other. */
function pathOf(topicFilter: string): string | undefined {
  if (!topicFilter.endsWith("#")) return topicFilter;
  return topicFilter.length === 1 ? undefined : topicFilter.slice(0, -2);
}

function visitAll<T>(
  values: readonly (T | undefined)[],
  nodes: readonly number[],
  count: number,
  visit: (value: T) => void,
): void {
  for (let i = 0; i < count; i++) {
    const value = values[nodes[i] ?? ROOT];
    if (value !== undefined) visit(value);
  }
}
