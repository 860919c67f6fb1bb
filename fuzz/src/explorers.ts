// Several processes with a seed each: each plays its share of new inputs and leaves what it kept.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readInputs } from "./corpus.ts";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));

export interface ExploreOptions {
  readonly target: string;
  /** Of all processes together. */
  readonly executions: number;
  /** Of the first process; each other one has the next. */
  readonly seed: number;
  readonly processCount: number;
}

export interface Explored {
  readonly inputs: readonly Uint8Array[];
  /** Of the processes that came to their end. */
  readonly executions: number;
  /** Processes that found a failure, or did not come to their end. */
  readonly failedCount: number;
}

/** Starts the processes and waits for all of them. They report on their own. */
export async function explore(options: ExploreOptions): Promise<Explored> {
  const folder = mkdtempSync(join(tmpdir(), "heirloom-fuzz-"));
  try {
    const { processCount } = options;
    const shares = Array.from({ length: processCount }, (_, index) => exploreShare(options, index, folder));
    const all = await Promise.all(shares);
    return {
      inputs: all.flatMap(({ inputs }) => inputs),
      executions: all.reduce((sum, { executions }) => sum + executions, 0),
      failedCount: all.reduce((sum, { failedCount }) => sum + failedCount, 0),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function exploreShare(options: ExploreOptions, index: number, folder: string): Promise<Explored> {
  const { target, executions, seed, processCount } = options;
  const share = Math.floor((executions + index) / processCount);
  const kept = join(folder, `${index}.hex`);
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      ...[MAIN, "--target", target, "--executions", `${share}`, "--seed", `${seed + index}`, "--kept", kept],
    ],
    { stdio: "inherit" },
  );
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  const isAtEnd = existsSync(kept);
  return {
    inputs: isAtEnd ? readInputs(kept) : [],
    executions: isAtEnd ? share : 0,
    failedCount: code === 0 ? 0 : 1,
  };
}
