// The errors of the server around the core: a configuration that cannot be used, a listener that cannot start.
// Errors of the store and of packets come from `@heirloom/core` and `@heirloom/codec`.

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where the option stands, such as `listeners[0].port`; empty for the whole. */
  readonly option: string;
  /** What was seen and what was expected. */
  readonly message: string;
  /** Line in the file, from 1; absent when the value does not come from a file. */
  readonly line?: number;
}

/** A configuration, or a set of options, that cannot be used. Nothing was started. */
export class ConfigError extends Error {
  readonly code = "CONFIG_INVALID";
  /** The file that was read; absent when the options come from a program or the command line. */
  readonly file: string | undefined;
  /** Everything that was found, in the order of the file. At least one. */
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], file?: string) {
    super(problems.map((problem) => problemText(problem, file)).join("\n"));
    this.name = "ConfigError";
    this.file = file;
    this.problems = problems;
  }
}

/** A listener that could not start: the address is in use, not of this machine, or not permitted. */
export class ListenError extends Error {
  readonly code = "LISTEN_FAILED";

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ListenError";
  }
}

/** Another server did not answer, or not as agreed. The message tells no more of its answer than the status. */
export class HttpError extends Error {
  readonly code = "HTTP_FAILED";

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "HttpError";
  }
}

function problemText(problem: ConfigProblem, file: string | undefined): string {
  const place = file === undefined ? "" : `${file}:${problem.line === undefined ? "" : `${problem.line}:`} `;
  return `${place}${problem.option === "" ? "" : `${problem.option}: `}${problem.message}`;
}

/** The text of anything that was thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's error code, such as "EADDRINUSE", if there is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
