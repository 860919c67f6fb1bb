// What the doctor says: one thing that is open, how bad that is, and what to change.

export type Severity = "danger" | "warning" | "note";

export interface Advice {
  readonly severity: Severity;
  /** The option or the file that it is about, such as `listeners[0].tls`. */
  readonly about: string;
  /** What is open, and what that means. */
  readonly problem: string;
  readonly change: string;
}
