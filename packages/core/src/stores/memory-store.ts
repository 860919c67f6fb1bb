// The store that keeps everything in memory: for tests, simulations and brokers that need nothing after a restart.
// It survives `close` and `open` of the same object, so a test can restart a broker on it.

import type {
  Damage,
  DamagedBlock,
  LogExtent,
  Store,
  StoreBatch,
  StoredBlock,
  Table,
} from "../ports/store.ts";
import { TABLES } from "../ports/store.ts";

export interface MemoryStoreOptions {
  /**
   * Called before each commit takes effect. A test lets the commit fail by throwing (a `StoreError`), and holds it
   * back by returning a promise; nothing of the batch is visible before the promise resolves.
   */
  readonly beforeCommit?: (batch: StoreBatch) => Promise<void> | undefined;
}

const GROUP_SIZE = 1000;

export class MemoryStore implements Store {
  readonly damage: readonly Damage[] = [];
  readonly #beforeCommit: ((batch: StoreBatch) => Promise<void> | undefined) | undefined;
  readonly #tables = new Map<Table, Map<string, Uint8Array>>();
  readonly #logs = new Map<number, StoredBlock[]>();

  constructor(options: MemoryStoreOptions = {}) {
    this.#beforeCommit = options.beforeCommit;
    for (const table of TABLES) this.#tables.set(table, new Map());
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async commit(batch: StoreBatch): Promise<void> {
    if (this.#beforeCommit !== undefined) await this.#beforeCommit(batch);
    for (const { table, key, value } of batch.records) {
      if (value === undefined) this.#table(table).delete(key);
      else this.#table(table).set(key, value);
    }
    for (const block of batch.blocks) this.#append(block);
    for (const { logId, endIndex } of batch.trims) this.#trim(logId, endIndex);
  }

  async *load(table: Table): AsyncGenerator<readonly (readonly [key: string, value: Uint8Array])[]> {
    const records = [...this.#table(table)].sort(([a], [b]) => compareUtf8(a, b));
    for (let start = 0; start < records.length; start += GROUP_SIZE) {
      yield records.slice(start, start + GROUP_SIZE).map(([key, value]) => [key, value.slice()] as const);
    }
  }

  async loadLogs(): Promise<readonly LogExtent[]> {
    const extents: LogExtent[] = [];
    for (const [logId, blocks] of this.#logs) {
      const first = blocks[0];
      const last = blocks.at(-1);
      if (first === undefined || last === undefined) continue;
      extents.push({ logId, firstIndex: first.firstIndex, lastBlock: copyOf(last) });
    }
    return extents.sort((a, b) => a.logId - b.logId);
  }

  async readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    const blocks = this.#logs.get(logId) ?? [];
    const found: StoredBlock[] = [];
    let byteCount = 0;
    for (let at = findBlock(blocks, fromIndex); at < blocks.length; at++) {
      const block = blocks[at];
      if (block === undefined || (found.length > 0 && byteCount >= maximumBytes)) break;
      found.push(copyOf(block));
      byteCount += block.bytes.length;
    }
    return found;
  }

  #table(table: Table): Map<string, Uint8Array> {
    const records = this.#tables.get(table);
    if (records === undefined) throw new Error(`table "${table}" seen, expected one of ${TABLES.join(", ")}`);
    return records;
  }

  #append(block: StoredBlock): void {
    const blocks = this.#logs.get(block.logId);
    if (blocks === undefined) {
      this.#logs.set(block.logId, [block]);
      return;
    }
    const last = blocks.at(-1);
    // A batch that is committed a second time brings its blocks a second time.
    if (last !== undefined && last.lastIndex >= block.firstIndex)
      blocks.length = findBlock(blocks, block.firstIndex);
    blocks.push(block);
  }

  #trim(logId: number, endIndex: number): void {
    const blocks = this.#logs.get(logId);
    if (blocks === undefined) return;
    // The block that holds `endIndex` stays, and all behind it; without one, all blocks go.
    const goneCount = findBlock(blocks, endIndex);
    if (goneCount === blocks.length) this.#logs.delete(logId);
    else if (goneCount > 0) blocks.splice(0, goneCount);
  }
}

/** The place of the first block that ends at `index` or behind it. */
function findBlock(blocks: readonly StoredBlock[], index: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((blocks[middle]?.lastIndex ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copyOf(block: StoredBlock): StoredBlock {
  return { ...block, bytes: block.bytes.slice() };
}

/**
 * Compares two strings as their UTF-8 bytes would compare. UTF-16 has the same order but for surrogates, which
 * stand for code points above U+FFFF and have smaller numbers than U+E000 to U+FFFF.
 */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return orderOf(left) - orderOf(right);
  }
  return a.length - b.length;
}

function orderOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
