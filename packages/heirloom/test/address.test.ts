// Addresses of clients: what is one attacker, and which networks an address is in.

import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addressOf, isNetwork, Networks, sourceOf } from "../dist/identity/address.js";

describe("addressOf", () => {
  for (const [remoteAddress, address] of [
    ["192.0.2.1:1883", "192.0.2.1"],
    ["[2001:db8::1]:1883", "2001:db8::1"],
    ["[::ffff:192.0.2.1]:1883", "192.0.2.1"],
    ["[::ffff:c000:201]:1883", "192.0.2.1"],
    ["0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1%eth0", "192.0.2.1"],
    ["[::ffff:0:c000:201]:1883", "::ffff:0:c000:201"],
    ["[::c000:201]:1883", "::c000:201"],
    ["attached", "attached"],
    ["unknown", "unknown"],
    ["/run/heirloom.sock", "/run/heirloom.sock"],
    ["example:1", "example:1"],
  ] as const) {
    it(`finds ${address} in ${remoteAddress}`, () => {
      assert.equal(addressOf(remoteAddress), address);
    });
  }
});

describe("sourceOf", () => {
  for (const [remoteAddress, source] of [
    ["192.0.2.1:1", "192.0.2.1"],
    ["[2001:db8::1]:1", "2001:db8:0:0::/64"],
    ["[2001:0db8:0000:0000:ffff::]:1", "2001:db8:0:0::/64"],
    ["[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"],
    ["[1:2:3:4:5:6:1.2.3.4]:1", "1:2:3:4::/64"],
    ["[fe80::1%eth0]:1", "fe80:0:0:0::/64"],
    ["attached", "attached"],
  ] as const) {
    it(`makes ${source} of ${remoteAddress}`, () => {
      assert.equal(sourceOf(remoteAddress), source);
    });
  }

  it("depends on the first 64 bits of IPv6 only, however they are written", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        fc.pre(isIP(address) === 6);
        const source = sourceOf(`[${address}]:1`);
        if (isIP(source) === 4) return;
        assert.match(source, /^([0-9a-f]{1,4}:){4}:\/64$/);
        const first = source.slice(0, -"::/64".length);
        assert.equal(sourceOf(`[${first}:1:2:3:4]:9`), source);
      }),
    );
  });
});

describe("Networks", () => {
  it("has the addresses of its networks", () => {
    const networks = new Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]);
    const inside = ["10.255.0.1:1", "192.0.2.7:1", "[2001:db8:ffff::1]:1", "[::1]:1", "[::ffff:10.0.0.1]:1"];
    for (const address of inside) assert.equal(networks.has(address), true, address);
    const outside = ["11.0.0.1:1", "192.0.2.8:1", "[2001:db9::1]:1", "attached", ""];
    for (const address of outside) assert.equal(networks.has(address), false, address);
  });

  it("knows what is no network", () => {
    for (const text of ["10.0.0.0/8", "0.0.0.0/0", "::/0", "::1/128", "192.0.2.1"])
      assert.ok(isNetwork(text), text);
    const wrong = [
      "",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "10.0.0/8",
      "a",
      "fe80::1%eth0",
      "10.0.0.0/-1",
    ];
    for (const text of wrong) assert.ok(!isNetwork(text), text);
  });
});
