// Parts of the core that have tests of their own. Not public: they change without notice.

export { Deadline, Deadlines } from "./deadlines.ts";
export { Block, BLOCK_BYTES } from "./logs/block.ts";
export { Cursor } from "./logs/cursor.ts";
export type { CursorOwner } from "./logs/cursor.ts";
export { readEntry, skipEntry, writeEntry } from "./logs/entry.ts";
export { Log } from "./logs/log.ts";
export { remainingExpirySeconds } from "./message.ts";
export { Output } from "./output.ts";
export { OutputBudget } from "./output-budget.ts";
export { InFlight } from "./qos/in-flight.ts";
export { IncomingAliases, OutgoingAliases } from "./qos/topic-alias.ts";
export { enforceQueueLimit } from "./queue-limit.ts";
export { InFlightEntries } from "./sessions/in-flight-entries.ts";
export { MemoryQueue } from "./sessions/memory-queue.ts";
export type { Place } from "./sessions/place.ts";
export { PumpQueue } from "./sessions/pump-queue.ts";
export { readDelivery, readReceived, writeDelivery, writeReceived } from "./sessions/session-records.ts";
