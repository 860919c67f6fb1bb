// Which filters a web service granted to which client: what deliveries are decided by, because those cannot wait for an
// answer. Each grant is asked about again when its time is over, for as long as the client is connected.

import { topicMatchesFilter } from "@heirloom/core";

/** One filter of one client. */
export interface Grant {
  readonly topicFilter: string;
  endsAtMs: number;
  /** Asks again; resolves to whether it still holds. Rejects when there is no answer. */
  readonly askAgain: () => Promise<boolean>;
}

/** Filters that one client is believed to have. A client that subscribes to more loses the oldest. */
const MAX_GRANTS = 10_000;

/** What one client was granted. */
export class ClientGrants {
  readonly #grants = new Map<string, Grant>();
  /** Accesses that use it: two for a moment, when the rules change. */
  users = 0;

  add(name: string, grant: Grant): void {
    this.#grants.delete(name);
    for (const oldest of this.#grants.keys()) {
      if (this.#grants.size < MAX_GRANTS) break;
      this.#grants.delete(oldest);
    }
    this.#grants.set(name, grant);
  }

  delete(name: string): void {
    this.#grants.delete(name);
  }

  covers(topicName: string): boolean {
    for (const { topicFilter } of this.#grants.values()) {
      if (topicMatchesFilter(topicName, topicFilter)) return true;
    }
    return false;
  }

  /** Those whose time is over. */
  *expired(nowMs: number): Iterable<[name: string, grant: Grant]> {
    for (const entry of this.#grants) if (entry[1].endsAtMs <= nowMs) yield entry;
  }
}

/** The grants of all clients that are connected. */
export class GrantTable {
  readonly #clients = new Map<string, ClientGrants>();
  readonly #atOnce: number;
  #renewing: Promise<boolean> | undefined;

  /** @param atOnce questions at the same time when grants are renewed. */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Number of clients with grants. */
  get size(): number {
    return this.#clients.size;
  }

  find(client: string): ClientGrants | undefined {
    return this.#clients.get(client);
  }

  /** The grants of a client, for one user more. Each user has to `release` them. */
  hold(client: string): ClientGrants {
    let grants = this.#clients.get(client);
    if (grants === undefined) this.#clients.set(client, (grants = new ClientGrants()));
    grants.users++;
    return grants;
  }

  release(client: string): void {
    const grants = this.#clients.get(client);
    if (grants !== undefined && --grants.users === 0) this.#clients.delete(client);
  }

  clear(): void {
    this.#clients.clear();
  }

  /**
   * Asks again about everything whose time is over. What is not answered stays: a service that is down must not make the
   * broker drop what it has promised to deliver.
   *
   * @returns whether a grant ended. One call at a time; the others get its answer.
   */
  renew(nowMs: number): Promise<boolean> {
    this.#renewing ??= this.#renewAll(nowMs).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renewAll(nowMs: number): Promise<boolean> {
    let hasEnded = false;
    let group: Promise<boolean>[] = [];
    for (const grants of this.#clients.values()) {
      for (const [name, grant] of grants.expired(nowMs)) {
        group.push(renewed(grants, name, grant));
        if (group.length < this.#atOnce) continue;
        if ((await Promise.all(group)).includes(false)) hasEnded = true;
        group = [];
      }
    }
    if ((await Promise.all(group)).includes(false)) hasEnded = true;
    return hasEnded;
  }
}

/** Whether the grant still stands. */
async function renewed(grants: ClientGrants, name: string, grant: Grant): Promise<boolean> {
  try {
    if (await grant.askAgain()) return true;
    grants.delete(name);
    return false;
  } catch {
    return true;
  }
}
