// What the broker under a flood tells about itself, from its own process to that of the test.

import type { ServerCounters } from "heirloom";

export interface Report {
  readonly port: number;
  readonly wsPort: number;
  readonly counters: Readonly<ServerCounters>;
  /** Bytes of memory that the process holds now. */
  readonly residentBytes: number;
  /** Bytes of memory that it has held at most since it started. */
  readonly peakBytes: number;
  /** Milliseconds of CPU since it started. */
  readonly cpuMs: number;
  /** Milliseconds that its event loop stood still at most since the last report but this one. */
  readonly standstillMs: number;
  /** The share of time, from 0 to 1, in which its event loop was busy since the last report but this one. */
  readonly busyShare: number;
  /** File descriptors and other resources that keep the process alive. */
  readonly openSockets: number;
}
