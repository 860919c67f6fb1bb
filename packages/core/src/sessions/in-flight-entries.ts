// The messages of a lasting session's deliveries that were in flight when its connection was lost: only their places are known, so
// they are read again from the logs, a page at a time. Does not know what is done with them.

import type { Context } from "../context.ts";
import { Block } from "../logs/block.ts";
import type { Entry } from "../logs/entry.ts";
import type { Log } from "../logs/log.ts";
import type { Place } from "./place.ts";
import type { Pumpable } from "./pump-queue.ts";

/** Bytes that are read at once. */
const PAGE_BYTES = 65_536;

const NO_PAGE: readonly Block[] = [];

export class InFlightEntries {
  readonly #context: Context;
  readonly #session: Pumpable;
  #page = NO_PAGE;
  #log: Log | undefined;
  /** The index that the page was read for; it says nothing of those before it. */
  #from = 0;
  /** Counts what was given up: a page that arrives after that is for nobody. */
  #drops = 0;

  /** `session` is pumped when something was read. */
  constructor(context: Context, session: Pumpable) {
    this.#context = context;
    this.#session = session;
  }

  /** What stands at a place: `undefined` when it is not readable any more, `"reading"` when it is to be asked for again. */
  at(place: Place): Entry | "reading" | undefined {
    if (place?.cursor === undefined) return undefined;
    const { cursor, index } = place;
    const { log } = cursor;
    const recent = log.recent(index);
    if (recent !== undefined) return recent;
    // What came through a shared group may stand in the same log as the session's own, in another order.
    if (this.#log === log && index >= this.#from) {
      const block = this.#page.find((candidate) => candidate.endIndex > index);
      if (block !== undefined) return block.firstIndex <= index ? block.entry(index) : undefined;
    }
    this.#read(log, index);
    return "reading";
  }

  /** What was read is not needed any more. */
  drop(): void {
    this.#page = NO_PAGE;
    this.#log = undefined;
    this.#drops++;
  }

  #read(log: Log, index: number): void {
    const { logs, pumps } = this.#context;
    const drops = this.#drops;
    logs.readBlocks(log, index, PAGE_BYTES).then(
      (page) => {
        if (drops !== this.#drops) return;
        // An empty end says: nothing at or behind this index, so that the search ends.
        this.#page = page.length > 0 ? page : [Block.begin(log.logId, index + 1, 0)];
        this.#log = log;
        this.#from = index;
        pumps.add(this.#session);
      },
      (error: unknown) => logs.readFailed(error),
    );
  }
}
