// One flood: what is sent, with which limits in force, and how much memory it may cost. Run by the tests in a small size and
// by `npm run overload` in full.

import assert from "node:assert/strict";
import type { BrokerOptions } from "heirloom";
import { newDirectory, removeDirectory } from "#interop/directory";
import { FloodedBroker } from "./flooded-broker.ts";
import type { Report } from "./report.ts";
import { type Served, SteadyClient } from "./steady-client.ts";

export const KIBIBYTE = 1_024;
export const MEBIBYTE = 1_048_576;

/** Compiled code, the young generation of the heap and garbage that was not collected yet. */
export const SLACK_BYTES: number = 192 * MEBIBYTE;

/** The names of counters that a flood is about. */
type CounterName = keyof Report["counters"];

export interface Flood {
  /** What holds, as a sentence; the tests carry it as their name, with the attacks that it shows. */
  readonly title: string;
  readonly options: Omit<BrokerOptions, "hooks" | "store">;
  /** Whether it keeps anything on disk. */
  readonly isDurable?: boolean;
  /** Bytes by which the process may grow, apart from {@link SLACK_BYTES}; and how that follows from the limits. */
  readonly boundBytes: number;
  readonly boundReason: string;
  /** The counters that show what happened. */
  readonly counters: readonly CounterName[];
  /** Floods, waits until the broker has handled it, and checks the counters. Sizes are multiplied by `scale`. */
  run(broker: FloodedBroker, scale: number): Promise<void>;
}

/** What one run of a flood showed. */
export interface Outcome {
  readonly grownBytes: number;
  /** Milliseconds that the event loop stood still at most. */
  readonly standstillMs: number;
  readonly served: Served;
  readonly report: Report;
}

/**
 * Runs a flood beside a client that has to be served as ever.
 *
 * @throws AssertionError when memory grew beyond the bound, or the other client missed anything.
 */
export async function runFlood(flood: Flood, scale: number): Promise<Outcome> {
  const data = flood.isDurable === true ? await newDirectory("overload") : undefined;
  const broker = await FloodedBroker.start({
    ...flood.options,
    ...(data === undefined ? { store: "memory" } : { data }),
  });
  try {
    const steady = await SteadyClient.start(broker.port);
    const before = await broker.report();
    await flood.run(broker, scale);
    const served = await steady.stop();
    const report = await broker.report();
    const grownBytes = report.peakBytes - before.residentBytes;
    const mostBytes = flood.boundBytes + SLACK_BYTES;
    assert.ok(
      grownBytes <= mostBytes,
      `grew by ${inMebibytes(grownBytes)}, expected ${inMebibytes(mostBytes)}`,
    );
    assert.ok(served.messages > 0);
    return { grownBytes, standstillMs: report.standstillMs, served, report };
  } finally {
    await broker.kill();
    if (data !== undefined) await removeDirectory(data);
  }
}

export function inMebibytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(0)} MiB`;
}
