// Runs the simulation's command in a process of its own: `node:test` watches every promise of this one, which makes a
// simulation, all promises, eight times slower.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Result {
  readonly exitCode: number;
  readonly stdout: string;
}

export function runCommand(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) => {
      resolve({ exitCode: typeof error?.code === "number" ? error.code : error === null ? 0 : 1, stdout });
    });
  });
}
