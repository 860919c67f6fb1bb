// X-Forwarded-For: believed from trusted proxies only, and only as far as they wrote it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Networks } from "../dist/identity/address.js";
import { forwardedAddress } from "../dist/transports/forwarded.js";

const PROXIES = new Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"]);

describe("forwardedAddress", () => {
  for (const [name, peer, header, client] of [
    ["takes the last address", "10.0.0.1:5", "203.0.113.9", "203.0.113.9"],
    ["takes the right-most untrusted one", "10.0.0.1:5", "1.2.3.4, 203.0.113.9, 10.9.9.9", "203.0.113.9"],
    ["ignores a peer that is no proxy", "203.0.113.1:5", "1.2.3.4", "203.0.113.1:5"],
    ["ignores a Unix socket", "unix:/run/x", "1.2.3.4", "unix:/run/x"],
    ["keeps the peer without header", "10.0.0.1:5", undefined, "10.0.0.1:5"],
    ["stops at what is no address", "10.0.0.1:5", "1.2.3.4, nonsense, 10.0.0.2", "10.0.0.2"],
    ["keeps the peer for an empty header", "10.0.0.1:5", "", "10.0.0.1:5"],
    ["keeps the peer for control characters", "10.0.0.1:5", "1.2.3.4\u0000", "10.0.0.1:5"],
    [
      "reads ports and brackets",
      "[2001:db8:1::5]:9",
      "[2001:db8:ffff::1]:4000, 192.0.2.7:80",
      "2001:db8:ffff::1",
    ],
    ["reads IPv4 in IPv6", "::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"],
    ["reads IPv4 in the digits of IPv6", "[::ffff:a00:1]:5", "[::ffff:cb00:7109]:80", "203.0.113.9"],
    ["takes the first proxy when all are trusted", "10.0.0.1:5", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
  ] as const) {
    it(`${name} - attack PROXY-03`, () => {
      assert.equal(forwardedAddress(peer, header, PROXIES), client);
    });
  }

  it("reads several headers as one - attack PROXY-03", () => {
    assert.equal(forwardedAddress("10.0.0.1:5", ["1.2.3.4", "203.0.113.9"], PROXIES), "203.0.113.9");
  });

  it("believes nobody without proxies - attack PROXY-03", () => {
    assert.equal(forwardedAddress("10.0.0.1:5", "1.2.3.4", new Networks([])), "10.0.0.1:5");
  });
});
