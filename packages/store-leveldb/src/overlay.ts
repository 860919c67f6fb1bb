// What the journal holds and the database not yet: the newest value of each record, and the newest blocks of each log. Only their
// places are kept here, as plain numbers; the bytes stay in the segments.

import type { Table } from "@heirloom/core";

import type { BlockExtent } from "./journal-record.ts";
import type { BlockPlace, Cell, LogTail, Segment } from "./segment.ts";

export class Overlay {
  readonly #records = new Map<Table, Map<string, Cell>>();
  readonly #tails = new Map<number, LogTail>();
  #recordCount = 0;

  /** How many records are here, over all tables. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** The records of one table that are here. */
  records(table: Table): ReadonlyMap<string, Cell> {
    return this.#table(table);
  }

  /** The logs of which blocks are here. */
  tails(): Iterable<LogTail> {
    return this.#tails.values();
  }

  /** The blocks of one log that are here; there is at least one. */
  tail(logId: number): LogTail | undefined {
    return this.#tails.get(logId);
  }

  /** A record got a value, or was deleted (`byteCount` -1). */
  record(segment: Segment, table: Table, key: string, at: number, byteCount: number): void {
    const records = this.#table(table);
    const cell = records.get(key);
    if (cell === undefined) {
      const added = { table, key, segment, at, byteCount };
      records.set(key, added);
      this.#recordCount++;
      segment.cells.push(added);
      return;
    }
    cell.at = at;
    cell.byteCount = byteCount;
    if (cell.segment === segment) return;
    cell.segment = segment;
    segment.cells.push(cell);
  }

  block(
    segment: Segment,
    { logId, firstIndex, lastIndex }: BlockExtent,
    at: number,
    byteCount: number,
  ): void {
    const block = { firstIndex, lastIndex, segment, at, byteCount };
    const tail = this.#tails.get(logId);
    if (tail === undefined) {
      const added = { logId, blocks: [block], segment, trimmedTo: 0 };
      this.#tails.set(logId, added);
      segment.tails.push(added);
      return;
    }
    insert(tail.blocks, block);
    if (tail.segment === segment) return;
    tail.segment = segment;
    segment.tails.push(tail);
  }

  trim(logId: number, endIndex: number): void {
    const tail = this.#tails.get(logId);
    if (tail === undefined) return;
    tail.trimmedTo = Math.max(tail.trimmedTo, endIndex);
    this.#drop(tail, ({ lastIndex }) => lastIndex < endIndex);
  }

  /** A segment is in the database: what no later one replaced is forgotten here. */
  forget(segment: Segment): void {
    for (const cell of segment.cells) {
      if (cell.segment === segment && this.#table(cell.table).delete(cell.key)) this.#recordCount--;
    }
    for (const tail of segment.tails) this.#drop(tail, (block) => block.segment.number <= segment.number);
  }

  /** Drops blocks from the start of a tail, and the tail when it is empty. */
  #drop(tail: LogTail, isGone: (block: BlockPlace) => boolean): void {
    const { blocks } = tail;
    const stays = blocks.findIndex((block) => !isGone(block));
    blocks.splice(0, stays === -1 ? blocks.length : stays);
    if (blocks.length === 0 && this.#tails.get(tail.logId) === tail) this.#tails.delete(tail.logId);
  }

  #table(table: Table): Map<string, Cell> {
    let records = this.#records.get(table);
    if (records === undefined) this.#records.set(table, (records = new Map<string, Cell>()));
    return records;
  }
}

/** Blocks come in order, except when a batch is committed a second time: then they replace themselves. */
function insert(blocks: BlockPlace[], block: BlockPlace): void {
  let at = blocks.length;
  while ((blocks[at - 1]?.lastIndex ?? -1) >= block.lastIndex) at--;
  if (at === blocks.length) blocks.push(block);
  else blocks.splice(at, blocks[at]?.lastIndex === block.lastIndex ? 1 : 0, block);
}
