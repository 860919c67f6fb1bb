// What is done to clients from outside: connections are ended by client identifier or by account, and accounts are removed.

import { ReasonCode } from "@heirloom/codec";
import type { Connection } from "./connection.ts";
import type { Parts } from "./parts.ts";

/** @returns false when the client has no connection. */
export function disconnectClient(
  parts: Parts,
  clientId: string,
  reasonCode: number,
  reason: string,
  withWill: boolean,
): boolean {
  const connection = parts.connectionOf(clientId);
  if (connection === undefined) return false;
  if (!withWill && connection.session !== undefined) connection.session.will = undefined;
  connection.disconnect(reasonCode, reason);
  return true;
}

/** Those too whose CONNECT is still to be answered. @returns how many connections ended. */
export function disconnectAccounts(
  connections: Iterable<Connection>,
  accounts: ReadonlySet<string>,
  reasonCode: number,
  reason: string,
): number {
  let count = 0;
  for (const connection of [...connections]) {
    const { account } = connection;
    if (account === undefined || !accounts.has(account)) continue;
    connection.disconnect(reasonCode, reason);
    count++;
  }
  return count;
}

/** Connections and sessions of the accounts end, and their wills are not published. @returns how many sessions ended. */
export function removeAccounts(
  parts: Parts,
  connections: Iterable<Connection>,
  accounts: ReadonlySet<string>,
): number {
  const { ADMINISTRATIVE_ACTION } = ReasonCode;
  const reason = "the account was removed";
  const { context, sessions } = parts;
  const gone = [...sessions.all()].filter(({ account }) => account !== undefined && accounts.has(account));
  for (const session of gone) {
    session.will = undefined;
    const { clientId } = session;
    disconnectClient(parts, clientId, ADMINISTRATIVE_ACTION, reason, true);
    if (sessions.get(clientId) === session) sessions.end(session, "account-removed");
  }
  // Those that have no session yet: their CONNECT is still to be answered.
  disconnectAccounts(connections, accounts, ADMINISTRATIVE_ACTION, reason);
  parts.wills.forget(accounts);
  if (gone.length > 0) context.world.requestTurn();
  return gone.length;
}
