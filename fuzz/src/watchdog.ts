// Ends the process when one execution does not end: a thread of its own looks whether the count moves. The input that
// hangs is kept before.

import { isMainThread, Worker, workerData } from "node:worker_threads";
import { writeRegression } from "./corpus.ts";

/** Milliseconds that one execution may take. */
const LIMIT_MS = 20_000;
const LOOK_MS = 1_000;

/** What both threads see: three numbers, executions begun, bytes of the input, whether to look; then the input. */
interface Shared {
  readonly target: string;
  readonly state: Int32Array;
  readonly input: Uint8Array;
}

export class Watchdog {
  readonly #shared: Shared;
  readonly #worker: Worker;

  constructor(target: string, maximumLength: number) {
    this.#shared = {
      target,
      state: new Int32Array(new SharedArrayBuffer(12)),
      input: new Uint8Array(new SharedArrayBuffer(maximumLength)),
    };
    this.#worker = new Worker(new URL(import.meta.url), { workerData: this.#shared });
    this.#worker.unref();
  }

  /** An execution begins. */
  playing(input: Uint8Array): void {
    const { state, input: copy } = this.#shared;
    copy.set(input.length <= copy.length ? input : input.subarray(0, copy.length));
    state[1] = Math.min(input.length, copy.length);
    state[2] = 1;
    Atomics.add(state, 0, 1);
  }

  /** Nothing is played until {@link playing} is called again: the wait is no fault. */
  rest(): void {
    Atomics.store(this.#shared.state, 2, 0);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

function watch({ target, state, input }: Shared): void {
  let seen = -1;
  let seenMs = performance.now();
  setInterval(() => {
    const begun = Atomics.load(state, 0);
    if (begun !== seen || Atomics.load(state, 2) === 0) {
      seen = begun;
      seenMs = performance.now();
    } else if (performance.now() - seenMs > LIMIT_MS) {
      const path = writeRegression(target, [input.slice(0, state[1])], `does not end in ${LIMIT_MS} ms`);
      process.stderr.write(`an execution does not end: ${path}\n`);
      process.kill(process.pid, "SIGKILL");
    }
  }, LOOK_MS);
}

if (!isMainThread) {
  // Given by the constructor above.
  watch(workerData as Shared);
}
