// Who has how many sessions and connections: accounts are what authentication says that clients are.
// Anonymous clients have none and are bound only by the limits for all.

/** Counts by account. */
export class Accounts {
  readonly #sessions = new Map<string, number>();
  readonly #connections = new Map<string, number>();

  sessions(account: string | undefined): number {
    return account === undefined ? 0 : (this.#sessions.get(account) ?? 0);
  }

  connections(account: string | undefined): number {
    return account === undefined ? 0 : (this.#connections.get(account) ?? 0);
  }

  /** A session of the account began (+1) or ended (-1). */
  countSession(account: string | undefined, change: 1 | -1): void {
    count(this.#sessions, account, change);
  }

  /** A connection of the account was accepted (+1) or ended (-1). */
  countConnection(account: string | undefined, change: 1 | -1): void {
    count(this.#connections, account, change);
  }
}

function count(counts: Map<string, number>, account: string | undefined, change: 1 | -1): void {
  if (account === undefined) return;
  const now = (counts.get(account) ?? 0) + change;
  if (now === 0) counts.delete(account);
  else counts.set(account, now);
}
