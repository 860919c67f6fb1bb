// The counters of the server: those of the core, and those of what stands around it.

import { Counters } from "@heirloom/core";

/** Numbers since the start. All only rise, except those called gauges. */
export class ServerCounters extends Counters {
  /** Connections that were closed unread, because their address had as many open as it may have. */
  connectionsRefusedByAddress = 0;
  /** Connections that were closed unread, because too many came from their address in a short time. */
  connectionsRefusedByAddressRate = 0;
  /** Connections that were closed unread, because too many came in a short time. */
  connectionsRefusedByRate = 0;
  /** Connections that were closed unread, because their address is banned for wrong passwords. */
  connectionsRefusedByBan = 0;
  /** Connections that were closed unread, because the rest of the system's open files is kept for the store. */
  connectionsRefusedByFiles = 0;
  /** Connections that were ended, because what they sent was next to nothing but KeyUpdates of TLS. */
  tlsFloodsEnded = 0;
  /** Clients that were let in because of what they showed. */
  authenticationSuccesses = 0;
  /** Wrong passwords, tokens and proofs, and users that there are not. */
  authenticationFailures = 0;
  /** Clients that were refused unseen, because wrong passwords came from their address before. */
  authenticationHeldUp = 0;
  /** Clients that were refused because too many others were being looked at: see `loginLimits`. */
  authenticationTurnedAway = 0;
  /** Clients that were refused because an authenticator did not work: a server that is down, a function that threw. */
  authenticationErrors = 0;
  /** Gauge: addresses, and user names at an address, that are banned. One that nobody tried again may be over already. */
  bansActive = 0;
}
