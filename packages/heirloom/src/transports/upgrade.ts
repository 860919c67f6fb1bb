// Decides whether an HTTP request may become an MQTT connection over WebSocket. Pure: headers in, a refusal out.
// MQTT 5.0 section 6, 3.1.1 section 6.

import type { IncomingMessage } from "node:http";
import { isLoopback } from "../loopback.ts";

/** Why an upgrade is refused: an HTTP status and a sentence for the one who looks. */
export interface UpgradeRefusal {
  readonly status: 400 | 403 | 404 | 431;
  readonly message: string;
}

export interface UpgradeRules {
  /** The only path that is served; absent = every path. */
  readonly path: string | undefined;
  /** Web pages that may connect, as origins such as `https://example.org`; "*" = all of them. */
  readonly allowedOrigins: readonly string[] | "*" | "this-machine";
}

/** Headers of one request. Node is told to read no more. */
export const MOST_HEADERS = 64;

/** "mqtt" by the standard; "mqttv3.1" is what clients of 3.1 offer. The first one that is offered is taken. */
const SUBPROTOCOLS = ["mqtt", "mqttv3.1"] as const;

/** @returns the subprotocol to answer with, if one is known. 5.0 [MQTT-6.0.0-4], 3.1.1 [MQTT-6.0.0-4]. */
export function chooseSubprotocol(offered: ReadonlySet<string>): string | undefined {
  return SUBPROTOCOLS.find((name) => offered.has(name));
}

/** @returns why this request is refused, or `undefined` when it may go on. */
export function refuseUpgrade(request: IncomingMessage, rules: UpgradeRules): UpgradeRefusal | undefined {
  if (request.rawHeaders.length >= 2 * MOST_HEADERS) {
    // Node leaves out what is beyond its limit, and one of those may be what a proxy added: `X-Forwarded-For`.
    return { status: 431, message: `expected fewer than ${MOST_HEADERS} headers` };
  }
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (rules.path !== undefined && path !== rules.path) {
    return { status: 404, message: "MQTT is not served on this path" };
  }
  const origin = request.headers.origin;
  if (origin !== undefined && !isAllowedOrigin(origin, rules.allowedOrigins)) {
    return { status: 403, message: "web pages of this origin may not connect (option allowedOrigins)" };
  }
  const offered = new Set(
    (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim()),
  );
  // 3.1.1 and 5.0 [MQTT-6.0.0-3]: the client has to offer "mqtt".
  if (chooseSubprotocol(offered) === undefined) {
    return { status: 400, message: 'expected the WebSocket subprotocol "mqtt"' };
  }
  return undefined;
}

function isAllowedOrigin(origin: string, allowed: UpgradeRules["allowedOrigins"]): boolean {
  if (allowed === "*") return true;
  if (allowed === "this-machine") return isLocalOrigin(origin);
  return allowed.includes("*") || allowed.includes(origin.toLowerCase());
}

// A broker that only listens on this machine would otherwise be open to every page that its user visits.
function isLocalOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  return isLoopback(new URL(origin).hostname.replace(/^\[|\]$/g, ""));
}
