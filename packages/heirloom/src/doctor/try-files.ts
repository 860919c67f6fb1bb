// Reads every file that the server reads at its start, and starts nothing: so the doctor says what would keep it from
// starting, and knows what would be warned of. Asks no other server.

import type { Settings } from "../config/settings.ts";
import { ServerCounters } from "../counters.ts";
import { permissionsOf } from "../create-broker.ts";
import { Identity } from "../identity/identity.ts";
import { readTls } from "../transports/tls-files.ts";

/** What is to be said of the dates of a certificate. */
export interface CertificateDates {
  /** Index of its listener. */
  readonly listener: number;
  readonly problem: string;
}

/** @throws ConfigError naming the file that is wrong, and why. */
export async function tryFiles(settings: Settings): Promise<readonly CertificateDates[]> {
  const permissions = await permissionsOf(settings);
  permissions?.stop();
  const { authentication, loginLimits: limits } = settings;
  const identity = new Identity({
    authentication,
    limits,
    hooks: undefined,
    counters: new ServerCounters(),
    allowsAnonymous: () => false,
    nameFault: () => undefined,
    // Who may read the files is looked at elsewhere.
    warn: () => {},
    revoked: () => {},
    now: () => performance.now(),
    wallNow: () => Date.now(),
  });
  try {
    await identity.open();
  } finally {
    identity.close();
  }
  const dates: CertificateDates[] = [];
  for (const [listener, { tls, name }] of settings.listeners.entries()) {
    if (tls === undefined) continue;
    const { dateWarnings } = await readTls(tls, name);
    dates.push(...dateWarnings.map((problem) => ({ listener, problem })));
  }
  return dates;
}
