// How the server process ends. The numbers are those of BSD's sysexits, which service managers know.

import { StoreError } from "@heirloom/core";
import { ConfigError, ListenError } from "../errors.ts";

export const ExitCode = {
  OK: 0,
  /** `heirloom doctor` found something that is a danger. */
  DANGER: 1,
  /** A wrong command line. */
  USAGE: 64,
  /** The data directory is of another format, or is none. */
  DATA_FORMAT: 65,
  /** An address cannot be listened on, or another process has the data directory open. */
  UNAVAILABLE: 69,
  /** A fault of ours. */
  INTERNAL: 70,
  /** The disk failed or is full. */
  IO: 74,
  /** A configuration that cannot be used. */
  CONFIG: 78,
} as const;

/** The exit code for an error that is expected; `undefined` for one that is a fault of ours. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof ConfigError) return ExitCode.CONFIG;
  if (error instanceof ListenError) return ExitCode.UNAVAILABLE;
  if (!(error instanceof StoreError)) return undefined;
  switch (error.code) {
    case "STORE_LOCKED":
      return ExitCode.UNAVAILABLE;
    case "STORE_FORMAT":
      return ExitCode.DATA_FORMAT;
    case "STORE_FULL":
    case "STORE_FAILED":
      return ExitCode.IO;
  }
}
