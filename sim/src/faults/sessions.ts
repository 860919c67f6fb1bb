// Planted faults in sessions and their connections: takeover, Session Present, expiry, keep alive, what a session does when its
// client goes.

import { Connection } from "../../../packages/core/dist/connection.js";
import { LastingSession } from "../../../packages/core/dist/sessions/lasting-session.js";
import { SessionTable } from "../../../packages/core/dist/sessions/session-table.js";
import { type Fault, nothing, replace } from "../fault.ts";

const KEEP_ALIVE_TIMEOUT = 0x8d;
const SESSION_TAKEN_OVER = 0x8e;
const NEVER = 0xffff_ffff;

/** The broker does not end connections for this reason. */
function neverDisconnect(reason: number): () => void {
  return replace(Connection.prototype, "disconnect", (original, reasonCode, ...rest) => {
    if (reasonCode !== reason) original(reasonCode, ...rest);
  });
}

export const SESSION_FAULTS: readonly Fault[] = [
  {
    name: "a takeover leaves the old connection",
    mostSeeds: 20,
    plant: () => neverDisconnect(SESSION_TAKEN_OVER),
  },
  {
    name: "keep alive is not watched",
    mostSeeds: 300,
    plant: () => neverDisconnect(KEEP_ALIVE_TIMEOUT),
  },
  {
    name: "Session Present is 0 for a session that exists",
    mostSeeds: 10,
    plant: () =>
      replace(SessionTable.prototype, "open", (original, ...all) => ({
        ...original(...all),
        present: false,
      })),
  },
  {
    name: "sessions never expire after a restart",
    mostSeeds: 60,
    plant: () =>
      replace(SessionTable.prototype, "restore", (original, ...all) => {
        const session = original(...all);
        Object.defineProperty(session, "expiryInterval", { get: () => NEVER, set: nothing });
        return session;
      }),
  },
  {
    name: "DISCONNECT does not change the Session Expiry Interval",
    mostSeeds: 60,
    plant: () =>
      replace(Connection.prototype, "disconnectedByClient", function (original, ...all) {
        if (this.session?.expiryInterval === 0) this.session.expiryInterval = this.connectExpiryInterval;
        original(...all);
      }),
  },
  {
    name: "cursors move when the client goes",
    mostSeeds: 20,
    plant: () =>
      replace(LastingSession.prototype, "disconnect", function (original) {
        original();
        for (const { cursor } of this.stretches.values()) cursor?.moveToEnd();
      }),
  },
];
