// Who a client is behind HTTP proxies: `X-Forwarded-For`, believed only as far as those are trusted who wrote it.

import { isIP } from "node:net";
import { addressOf, type Networks } from "../identity/address.ts";

/**
 * Each proxy adds the address it was connected from at the right. So the first one from the right that is no trusted proxy
 * is the client; what is left of it, the client may have written itself.
 *
 * @param remoteAddress the peer, such as "10.0.0.1:51234".
 * @returns the client, without a port when the header says so; `remoteAddress` when the peer is no trusted proxy.
 */
export function forwardedAddress(
  remoteAddress: string,
  header: string | readonly string[] | undefined,
  trustedProxies: Networks,
): string {
  if (header === undefined || !trustedProxies.has(remoteAddress)) return remoteAddress;
  const hops = (typeof header === "string" ? header : header.join(",")).split(",").reverse();
  let client = remoteAddress;
  for (const hop of hops) {
    const address = addressOf(hop.trim());
    // Something that no proxy writes: what is known so far is all that can be believed.
    if (isIP(address) === 0) return client;
    client = address;
    if (!trustedProxies.has(address)) return client;
  }
  return client;
}
