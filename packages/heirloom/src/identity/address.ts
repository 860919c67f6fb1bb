// Addresses of clients as those see them who keep lists of them: who is one attacker, and who is trusted.

import { BlockList, isIP, isIPv4 } from "node:net";

/** The address in "203.0.113.9:51234" or "[2001:db8::1]:51234"; the whole text when there is none, as for pipes. */
export function addressOf(remoteAddress: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(remoteAddress)?.[1];
  const plain = bracketed ?? /^([^:]+):\d+$/.exec(remoteAddress)?.[1] ?? remoteAddress;
  const address = withoutMapping(plain);
  return isIP(address) === 0 ? remoteAddress : address;
}

/** IPv4 for an address of IPv4 that is written as IPv6 (`::ffff:`), in dots or in digits; any other text as it is. */
export function withoutMapping(address: string): string {
  if (isIP(address) !== 6) return address;
  const [plain = ""] = address.split("%");
  const groups = groupsOf(plain);
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  const isMapped = groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff";
  return isMapped ? [high >> 8, high & 255, low >> 8, low & 255].join(".") : address;
}

/** What one attacker has for nothing: an IPv4 address, or the 64 bits of an IPv6 network. */
export function sourceOf(remoteAddress: string): string {
  const address = addressOf(remoteAddress);
  if (isIP(address) !== 6) return address;
  // Without the zone of a link-local address.
  const [plain = ""] = address.split("%");
  return `${groupsOf(plain).slice(0, 4).join(":")}::/64`;
}

/** Networks such as "10.0.0.0/8", or single addresses. */
export class Networks {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** @param networks each must be one according to {@link isNetwork}. */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      const family = isIPv4(address) ? "ipv4" : "ipv6";
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  has(remoteAddress: string): boolean {
    if (this.#isEmpty) return false;
    const address = addressOf(remoteAddress);
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 4 ? "ipv4" : "ipv6");
  }
}

/** Whether a text is an address, or a network with a prefix length. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** The eight groups of an IPv6 address, each without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = "", tail] = withoutDots(address).split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const groups = [...front, ...Array<string>(Math.max(zeros, 0)).fill("0"), ...back];
  return groups.map((group) => Number.parseInt(group, 16).toString(16));
}

/** An IPv6 address may end in the dots of IPv4. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_text, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}
