// A flood of logins with wrong passwords, which cost more than anything else that a stranger can make the broker do.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { encodePacket, PacketType } from "@heirloom/codec";
import { type Flood, KIBIBYTE } from "../flood.ts";
import type { Report } from "../report.ts";
import { closeAll, many, openSocket, untilClosed, writeAll } from "../flooder.ts";

/** One user, with a hash of our own kind, of a quarter of its usual cost: a busy machine has time for those in line. */
const PASSWORD_FILE = fileURLToPath(new URL("../../../passwords", import.meta.url));
const HASH_BYTES = 8 * KIBIBYTE * KIBIBYTE;
const HASHES_AT_ONCE = 2;
const WAITING = 4;
const LOGINS = 1_000;
/** CONNACK of 5.0: the byte of the reason code. */
const REASON_CODE = 3;
const WRONG = 0x86;
const BUSY = 0x89;
const PASSWORD = Buffer.from("guessed");
/** The share of time that the event loop may be busy; were hashes made on it, it would be all of it. */
const MOST_BUSY = 0.8;

export const wrongPasswords: Flood = {
  title:
    "of 1,000 logins at once two are hashed at a time, four wait, and the rest is turned away; the event loop stays free" +
    " - attack AUTHN-05",
  options: {
    authentication: [{ passwordFile: PASSWORD_FILE }],
    // The other client; and whoever guesses is to be held up by the work alone, not by the count of failures.
    allowAnonymous: true,
    limits: { connectTimeoutMs: 60_000 },
    loginLimits: { hashesAtOnce: HASHES_AT_ONCE, hashesWaiting: WAITING, trustedSources: ["127.0.0.1"] },
  },
  boundBytes: HASHES_AT_ONCE * HASH_BYTES,
  boundReason: "two hashes of 8 MiB",
  counters: ["authenticationFailures", "authenticationTurnedAway", "authenticationSuccesses"],
  async run(broker, scale) {
    for (let round = 0; round < scale; round++) {
      const sockets = await many(LOGINS, () => openSocket(broker.port));
      const { counters: before } = await broker.report();
      const answering = sockets.map(async (socket, index) => {
        // Half of them are users that there are not.
        await writeAll(socket, connectBytes(`login-${index}`, index % 2 === 0 ? "alice" : `nobody-${index}`));
        return untilClosed(socket);
      });
      await broker.until(
        "all have been looked at but those in line",
        ({ counters: now }) => answered(now) - answered(before) >= LOGINS - HASHES_AT_ONCE - WAITING,
      );
      const answers = await Promise.all(answering);
      const { counters, busyShare } = await broker.report();
      closeAll(sockets);
      const codes = answers.map((answer) => answer[REASON_CODE]);
      const hashed = codes.filter((code) => code === WRONG).length;
      assert.equal(codes.filter((code) => code === BUSY).length, LOGINS - hashed);
      assert.ok(hashed >= HASHES_AT_ONCE + WAITING && hashed < LOGINS / 4, `${hashed} were hashed`);
      assert.equal(counters.authenticationFailures - before.authenticationFailures, hashed);
      assert.equal(counters.authenticationTurnedAway - before.authenticationTurnedAway, LOGINS - hashed);
      assert.ok(busyShare < MOST_BUSY, `busy for ${busyShare} of the time in which the last were hashed`);
    }
  },
};

function answered({ authenticationFailures, authenticationTurnedAway }: Report["counters"]): number {
  return authenticationFailures + authenticationTurnedAway;
}

function connectBytes(clientId: string, username: string): Uint8Array {
  const names = { clientId, username, password: PASSWORD };
  const rest = { protocolVersion: 5, cleanStart: true, keepAlive: 0, properties: {} } as const;
  return encodePacket({ type: PacketType.CONNECT, ...names, ...rest }, 5);
}
