// What the parts of one broker share: its turn, its limits, its counters, and the ports. Made once by the broker.

import type { Rules } from "./access.ts";
import type { Accounts } from "./accounts.ts";
import type { Counters } from "./counters.ts";
import type { DeliveryCounts } from "./delivery-counts.ts";
import type { Deadlines } from "./deadlines.ts";
import type { FailedInputs } from "./failed-inputs.ts";
import type { Limits } from "./limits.ts";
import type { LogTable } from "./logs/log-table.ts";
import type { OutputBudget } from "./output-budget.ts";
import type { MemoryCeiling } from "./memory-ceiling.ts";
import type { Hooks } from "./ports/hooks.ts";
import type { Observer } from "./ports/observer.ts";
import type { Store } from "./ports/store.ts";
import type { World } from "./ports/world.ts";
import type { PublishEncoder } from "./publish-encoder.ts";
import type { PumpQueue } from "./sessions/pump-queue.ts";
import type { Turn } from "./turn.ts";

export interface Context {
  readonly limits: Limits;
  readonly counters: Counters;
  /** What sessions and shared groups that are over have counted. */
  readonly ended: DeliveryCounts;
  readonly store: Store;
  readonly world: World;
  readonly hooks: Hooks;
  /** Absent when everything is allowed. */
  readonly rules: Rules | undefined;
  readonly accounts: Accounts;
  readonly failedInputs: FailedInputs;
  readonly memory: MemoryCeiling;
  readonly observer: Observer;
  readonly turn: Turn;
  readonly deadlines: Deadlines;
  readonly logs: LogTable;
  readonly encoder: PublishEncoder;
  /** Sessions that have something to do before the turn ends. */
  readonly pumps: PumpQueue;
  readonly outputBudget: OutputBudget;
}
