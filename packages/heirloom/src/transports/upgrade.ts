// The opening handshake of WebSocket: decides whether an HTTP request may become an MQTT connection, and answers.
// Pure: headers in, a refusal or an answer out. RFC 6455 section 4.2; MQTT 5.0 section 6, 3.1.1 section 6.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why an upgrade is refused: an HTTP status and a sentence for the one who looks. */
export interface UpgradeRefusal {
  readonly status: 400 | 403 | 404 | 426;
  readonly message: string;
}

export interface UpgradeRules {
  /** The only path that is served; absent = every path. */
  readonly path: string | undefined;
  /** Web pages that may connect, as origins such as `https://example.org`; "*" = all of them. */
  readonly allowedOrigins: readonly string[] | "*" | "this-machine";
}

/** "mqtt" by the standard; "mqttv3.1" is what clients of 3.1 offer. The first one that is offered is taken. */
const SUBPROTOCOLS = ["mqtt", "mqttv3.1"] as const;

/** RFC 6455 section 1.3. */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** @returns why this request is refused, or `undefined` when it may go on. */
export function refuseUpgrade(request: IncomingMessage, rules: UpgradeRules): UpgradeRefusal | undefined {
  const handshakeFault = faultOfHandshake(request);
  if (handshakeFault !== undefined) return handshakeFault;
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (rules.path !== undefined && path !== rules.path) {
    return { status: 404, message: "MQTT is not served on this path" };
  }
  const origin = request.headers.origin;
  if (origin !== undefined && !isAllowedOrigin(origin, rules.allowedOrigins)) {
    return { status: 403, message: "web pages of this origin may not connect (option allowedOrigins)" };
  }
  // 3.1.1 and 5.0 [MQTT-6.0.0-3]: the client has to offer "mqtt".
  if (chosenSubprotocol(request) === undefined) {
    return { status: 400, message: 'expected the WebSocket subprotocol "mqtt"' };
  }
  return undefined;
}

/** The answer to a request that {@link refuseUpgrade} lets go on. 5.0 [MQTT-6.0.0-4], 3.1.1 [MQTT-6.0.0-4]. */
export function acceptUpgrade(request: IncomingMessage): string {
  const key = request.headers["sec-websocket-key"] ?? "";
  const answer = createHash("sha1").update(`${key}${HANDSHAKE_GUID}`).digest("base64");
  return (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${answer}\r\nSec-WebSocket-Protocol: ${chosenSubprotocol(request) ?? ""}\r\n\r\n`
  );
}

function faultOfHandshake(request: IncomingMessage): UpgradeRefusal | undefined {
  const { headers } = request;
  if (request.method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket") {
    return { status: 400, message: "expected a WebSocket upgrade by GET" };
  }
  if (headers["sec-websocket-version"] !== "13")
    return { status: 426, message: "expected Sec-WebSocket-Version 13" };
  // 16 bytes in base64.
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")) {
    return { status: 400, message: "expected a Sec-WebSocket-Key of 16 bytes" };
  }
  return undefined;
}

function chosenSubprotocol(request: IncomingMessage): string | undefined {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  return SUBPROTOCOLS.find((name) => offered.includes(name));
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

/** Whether an address, or a host's name, can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, "");
  return (
    plain === "localhost" ||
    plain.endsWith(".localhost") ||
    plain === "::1" ||
    /^127(\.\d{1,3}){3}$/.test(plain)
  );
}
