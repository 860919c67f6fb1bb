// What the model found: each rule that was broken, when, and how it showed.

/** The rules, named after what users would say. */
export type Rule =
  | "lost"
  | "twice"
  | "order"
  | "qos"
  | "altered"
  | "identifiers"
  | "dup"
  | "packet-id"
  | "receive-maximum"
  | "resend"
  | "not-subscribed"
  | "session-present"
  | "retained"
  | "will"
  | "expired"
  | "refused"
  | "acknowledgement"
  | "closed"
  | "stuck"
  | "balance"
  | "left-over"
  | "memory"
  | "too-large"
  | "store"
  | "threw";

export interface Violation {
  readonly rule: Rule;
  readonly text: string;
  readonly atMs: number;
}

export class Report {
  readonly violations: Violation[] = [];
  readonly #now: () => number;
  readonly #say: (line: string) => void;

  constructor(now: () => number, say: (line: string) => void) {
    this.#now = now;
    this.#say = say;
  }

  broken(rule: Rule, text: string): void {
    this.#say(`VIOLATION of "${rule}": ${text}`);
    if (this.violations.length < 100) this.violations.push({ rule, text, atMs: this.#now() });
  }
}
