// The shape that both trees of topics share: nodes with named children, as numbers in a few typed arrays. Knows
// neither values nor wildcards, except that it finds the child "+" without a search.
//
// Objects and Maps for each node would cost several hundred bytes and a visit of the garbage collector each; here
// a node is eight 32-bit fields, about 40 bytes with its place in the hash table:
//
//   node   parent | level | first child | next, previous sibling | next in bucket | holds | child "+"
//
//            0 root                buckets: hash(parent, level) -> node -> next in bucket -> ...
//           /      \
//      7 "site"    3 "+"           first child of 0 is 7, next sibling of 7 is 3
//        |
//      9 "12"                      the child "12" of 7 is found through the bucket of (7, id of "12")
//
// A node lives as long as it is held or has children. Whoever keeps a value in a node, or stands on it with a
// cursor, holds it. Numbers of nodes that are gone are given out again. Arrays grow and never shrink.

import { LevelNames, UNKNOWN_LEVEL } from "./level-names.ts";

/** The node of no level. As an answer it means "none", since the root is nobody's child or sibling. */
export const ROOT = 0;
export const NONE = 0;

const FIELDS = 8;
const PARENT = 0;
const LEVEL = 1;
const FIRST_CHILD = 2;
const NEXT = 3;
const PREVIOUS = 4;
const IN_BUCKET = 5;
const HOLDS = 6;
const PLUS_CHILD = 7;

const FIRST_NODES = 16;
const FIRST_BUCKET_BITS = 4;

export class LevelTree {
  readonly #names = new LevelNames();
  readonly #plus: number = this.#names.use("+");
  readonly #parentFactor: number;
  readonly #levelFactor: number;
  #nodes = new Int32Array(FIRST_NODES * FIELDS);
  /** Numbers given out so far, the root's among them. */
  #nodeCount = 1;
  /** Nodes in the tree, the root not counted. */
  #liveCount = 0;
  /** First of the numbers to give out again; they are linked through NEXT. */
  #free: number = NONE;
  #buckets = new Int32Array(1 << FIRST_BUCKET_BITS);
  #bucketShift: number = 32 - FIRST_BUCKET_BITS;

  /** @param hashSeed - 32 random bits, so that nobody can choose topics that collide. */
  constructor(hashSeed: number) {
    this.#parentFactor = (hashSeed ^ 0x9e3779b1) | 1;
    this.#levelFactor = Math.imul(hashSeed ^ 0x85ebca6b, 0xc2b2ae35) | 1;
  }

  /** Number of the level name, `UNKNOWN_LEVEL` when no node has it. Good until the tree changes. */
  levelOf(name: string): number {
    return this.#names.idOf(name);
  }

  /** The child of `node` at the level with this number, or `NONE`. */
  child(node: number, level: number): number {
    if (level === UNKNOWN_LEVEL) return NONE;
    let child = this.#buckets[this.#bucketOf(node, level)] ?? NONE;
    while (child !== NONE) {
      if (this.#get(child, PARENT) === node && this.#get(child, LEVEL) === level) return child;
      child = this.#get(child, IN_BUCKET);
    }
    return NONE;
  }

  plusChild(node: number): number {
    return this.#get(node, PLUS_CHILD);
  }

  /** Whether `node` has a child other than "+". */
  hasNamedChild(node: number): boolean {
    const first = this.#get(node, FIRST_CHILD);
    return first !== NONE && (first !== this.#get(node, PLUS_CHILD) || this.#get(first, NEXT) !== NONE);
  }

  firstChild(node: number): number {
    return this.#get(node, FIRST_CHILD);
  }

  nextSibling(node: number): number {
    return this.#get(node, NEXT);
  }

  parent(node: number): number {
    return this.#get(node, PARENT);
  }

  nameOf(node: number): string {
    return this.#names.nameOf(this.#get(node, LEVEL));
  }

  /** The levels from the root to `node`, joined with "/". */
  pathOf(node: number): string {
    const levels: string[] = [];
    for (let at = node; at !== ROOT; at = this.parent(at)) levels.push(this.nameOf(at));
    return levels.reverse().join("/");
  }

  /** The node behind `path`, levels separated by "/", or `NONE`. An empty path is one empty level. */
  find(path: string): number {
    let node = ROOT;
    let start = 0;
    for (;;) {
      const end = levelEnd(path, start);
      node = this.child(node, this.levelOf(path.slice(start, end)));
      if (node === NONE || end === path.length) return node;
      start = end + 1;
    }
  }

  /** Like `find`, but adds what is missing. The caller has to hold the node before it does anything else. */
  grow(path: string): number {
    let node = ROOT;
    let start = 0;
    for (;;) {
      const end = levelEnd(path, start);
      const name = path.slice(start, end);
      const child = this.child(node, this.levelOf(name));
      node = child === NONE ? this.#add(node, name) : child;
      if (end === path.length) return node;
      start = end + 1;
    }
  }

  /** The node after `node` when parents come before their children, or `NONE` after the last. */
  nextInOrder(node: number): number {
    const child = this.firstChild(node);
    if (child !== NONE) return child;
    let at = node;
    while (at !== ROOT) {
      const sibling = this.nextSibling(at);
      if (sibling !== NONE) return sibling;
      at = this.parent(at);
    }
    return NONE;
  }

  /** Keeps `node`, and with it the path to it, until it is released as often as it is held. */
  hold(node: number): void {
    this.#set(node, HOLDS, this.#get(node, HOLDS) + 1);
  }

  /** Takes back one `hold`, and removes what is then neither held nor leads to something held. */
  release(node: number): void {
    this.#set(node, HOLDS, this.#get(node, HOLDS) - 1);
    let at = node;
    while (at !== ROOT && this.#get(at, HOLDS) === 0 && this.#get(at, FIRST_CHILD) === NONE) {
      const parent = this.#get(at, PARENT);
      this.#remove(at);
      at = parent;
    }
  }

  #add(parent: number, name: string): number {
    if (this.#liveCount === this.#buckets.length) this.#growBuckets();
    const node = this.#newNode();
    const level = this.#names.use(name);
    this.#liveCount++;
    this.#set(node, PARENT, parent);
    this.#set(node, LEVEL, level);
    // New children come first, so that a cursor under way meets none of them and surely comes to an end.
    const sibling = this.#get(parent, FIRST_CHILD);
    this.#set(node, NEXT, sibling);
    if (sibling !== NONE) this.#set(sibling, PREVIOUS, node);
    this.#set(parent, FIRST_CHILD, node);
    if (level === this.#plus) this.#set(parent, PLUS_CHILD, node);
    this.#putInBucket(node);
    return node;
  }

  #remove(node: number): void {
    const parent = this.#get(node, PARENT);
    const level = this.#get(node, LEVEL);
    const previous = this.#get(node, PREVIOUS);
    const next = this.#get(node, NEXT);
    if (previous === NONE) this.#set(parent, FIRST_CHILD, next);
    else this.#set(previous, NEXT, next);
    if (next !== NONE) this.#set(next, PREVIOUS, previous);
    if (level === this.#plus) this.#set(parent, PLUS_CHILD, NONE);
    this.#takeFromBucket(node);
    this.#names.unuse(level);
    this.#liveCount--;
    this.#nodes.fill(0, node * FIELDS, (node + 1) * FIELDS);
    this.#set(node, NEXT, this.#free);
    this.#free = node;
  }

  /** A node whose fields are all 0. */
  #newNode(): number {
    const node = this.#free;
    if (node !== NONE) {
      this.#free = this.#get(node, NEXT);
      this.#set(node, NEXT, NONE);
      return node;
    }
    if ((this.#nodeCount + 1) * FIELDS > this.#nodes.length) {
      const larger = new Int32Array((this.#nodeCount + (this.#nodeCount >> 1)) * FIELDS);
      larger.set(this.#nodes);
      this.#nodes = larger;
    }
    return this.#nodeCount++;
  }

  #growBuckets(): void {
    this.#bucketShift--;
    this.#buckets = new Int32Array(this.#buckets.length * 2);
    // Node by node rather than bucket by bucket: reading memory in its order takes less than half the time.
    for (let node = 1; node < this.#nodeCount; node++) {
      if (this.#get(node, LEVEL) !== UNKNOWN_LEVEL) this.#putInBucket(node);
    }
  }

  #putInBucket(node: number): void {
    const bucket = this.#bucketOf(this.#get(node, PARENT), this.#get(node, LEVEL));
    this.#set(node, IN_BUCKET, this.#buckets[bucket] ?? NONE);
    this.#buckets[bucket] = node;
  }

  #takeFromBucket(node: number): void {
    const bucket = this.#bucketOf(this.#get(node, PARENT), this.#get(node, LEVEL));
    const next = this.#get(node, IN_BUCKET);
    let at = this.#buckets[bucket] ?? NONE;
    if (at === node) {
      this.#buckets[bucket] = next;
      return;
    }
    while (this.#get(at, IN_BUCKET) !== node) at = this.#get(at, IN_BUCKET);
    this.#set(at, IN_BUCKET, next);
  }

  // Factors that nobody else knows keep chosen pairs from colliding. The second multiplication is there because
  // numbers given out one after the other would else fall into few buckets with some factors.
  #bucketOf(parent: number, level: number): number {
    const sum = (Math.imul(parent, this.#parentFactor) + Math.imul(level, this.#levelFactor)) | 0;
    return Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d) >>> this.#bucketShift;
  }

  #get(node: number, field: number): number {
    return this.#nodes[node * FIELDS + field] ?? NONE;
  }

  #set(node: number, field: number, value: number): void {
    this.#nodes[node * FIELDS + field] = value;
  }
}

/** Where the level that begins at `start` ends: at its separator, or at the end of `path`. */
export function levelEnd(path: string, start: number): number {
  const separator = path.indexOf("/", start);
  return separator < 0 ? path.length : separator;
}
