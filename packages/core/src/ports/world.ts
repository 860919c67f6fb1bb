// The port to everything else outside the core: time, randomness, and someone to call the broker again.

/** The world around a broker. In production it is Node's; in tests and simulation it is virtual. */
export interface World {
  /**
   * Milliseconds since 1970-01-01 UTC. Never goes back and is not moved by jumps of the wall clock while the
   * process runs: read once at start, then driven by a monotonic clock.
   */
  now(): number;

  /** Bytes of memory that the process has, as the operating system counts them. Absent where nobody can tell. */
  memoryBytes?(): number;

  /** `length` bytes that nobody can predict. */
  randomBytes(length: number): Uint8Array;

  /**
   * Asks that `Broker.endTurn` is called soon: after all input that is ready now was handed in. Called many times
   * per turn; one call per turn is enough.
   */
  requestTurn(): void;

  /** Asks that `Broker.wake` is called at `timeMs` (of `now`), or not at all (`undefined`). Replaces the last request. */
  wakeAt(timeMs: number | undefined): void;
}
