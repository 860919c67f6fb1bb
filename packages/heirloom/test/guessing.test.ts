// Guessing passwords: delays, bans, what is never banned, and that memory has a bound.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestBroker } from "heirloom/testing";
import { ServerCounters } from "heirloom";
import { Guessing, type GuessingOptions } from "../dist/identity/guessing.js";
import { tryLogin } from "./wire-client.ts";

const OPTIONS: GuessingOptions = {
  failuresPerUser: 5,
  failuresPerSource: 20,
  banMs: 60_000,
  trustedSources: ["10.0.0.0/8", "2001:db8:1::/48"],
};

class Attacker {
  readonly counters: ServerCounters = new ServerCounters();
  nowMs = 0;
  readonly guessing: Guessing;

  constructor(options: Partial<GuessingOptions> = {}) {
    this.guessing = new Guessing({ ...OPTIONS, ...options }, this.counters, () => this.nowMs);
  }

  /** Tries a wrong password. @returns the reason code of a refusal before anything was looked at. */
  guess(address: string, username: string): number | undefined {
    const refusal = this.guessing.refusal(address, username);
    if (refusal === undefined) this.guessing.failed(address, username);
    return refusal?.reasonCode;
  }
}

describe("Guessing", () => {
  it("lets wrong passwords wait twice as long each time, then bans - attack AUTHN-06", () => {
    const attacker = new Attacker();
    const guess = (): number | undefined => attacker.guess("192.0.2.1:1", "alice");
    assert.deepEqual([guess(), guess(), guess()], [undefined, undefined, undefined]);
    assert.equal(guess(), 0x9f);
    attacker.nowMs += 1_000;
    assert.equal(guess(), undefined);
    attacker.nowMs += 1_999;
    assert.equal(guess(), 0x9f);
    attacker.nowMs += 1;
    assert.equal(guess(), undefined);
    assert.equal(guess(), 0x8a);
    assert.equal(attacker.counters.bansActive, 1);
    attacker.nowMs += 59_999;
    assert.equal(guess(), 0x8a);
    attacker.nowMs += 1;
    assert.equal(guess(), undefined);
    assert.equal(attacker.counters.bansActive, 0);
  });

  it("looks at few of ten thousand tries - attack AUTHN-06", () => {
    const attacker = new Attacker();
    let looked = 0;
    for (let count = 0; count < 10_000; count++) {
      if (attacker.guess("192.0.2.1:1", "alice") === undefined) looked++;
      attacker.nowMs += 10;
    }
    assert.ok(looked <= 12, `${looked} were looked at`);
  });

  it("never keeps a user out from elsewhere - attack AUTHN-06", () => {
    const attacker = new Attacker();
    for (let count = 0; count < 1_000; count++) attacker.guess(`192.0.2.${count % 250}:1`, "alice");
    assert.equal(attacker.guessing.refusal("198.51.100.1:1", "alice"), undefined);
  });

  it("bans an address that tries many users, also others that it never tried", () => {
    const attacker = new Attacker();
    for (let count = 0; count < 20; count++)
      assert.equal(attacker.guess("192.0.2.1:7", `u${count}`), undefined);
    assert.equal(attacker.guess("192.0.2.1:8", "fresh"), 0x8a);
    assert.equal(attacker.guess("192.0.2.2:8", "fresh"), undefined);
  });

  it("takes an IPv6 network of 64 bits for one address", () => {
    const attacker = new Attacker();
    for (let count = 0; count < 20; count++) attacker.guess(`[2001:db8::${count}]:1`, `u${count}`);
    assert.equal(attacker.guess("[2001:db8:0:0:ffff::1]:1", "fresh"), 0x8a);
    assert.equal(attacker.guess("[2001:db8:0:1::1]:1", "fresh"), undefined);
  });

  it("forgets a user's failures with the right password, not those of the address", () => {
    const attacker = new Attacker();
    for (let round = 0; round < 10; round++) {
      attacker.guess("192.0.2.1:1", "alice");
      attacker.guess("192.0.2.1:1", "alice");
      attacker.guessing.succeeded("192.0.2.1:1", "alice");
    }
    assert.equal(attacker.guess("192.0.2.1:1", "alice"), 0x8a);
  });

  it("never bans a trusted source", () => {
    const attacker = new Attacker();
    for (let count = 0; count < 100; count++) {
      assert.equal(attacker.guess("10.1.2.3:1", "alice"), undefined);
      assert.equal(attacker.guess("[2001:db8:1::5]:1", "alice"), undefined);
    }
    assert.equal(attacker.counters.authenticationFailures, 200);
  });

  it("never locks out the clients of a Unix socket for what one of them does - attack AUTHN-06", () => {
    const attacker = new Attacker();
    for (let count = 0; count < 100; count++) {
      assert.equal(attacker.guess("unix:/run/mqtt.sock", `u${count}`), undefined);
    }
    assert.equal(attacker.guessing.isBanned("unix:/run/mqtt.sock"), false);
    for (let count = 0; count < 100; count++) {
      attacker.guess("unix:/run/mqtt.sock", "alice");
      // A guesser has to wait, the longer the more it tries; and so a minute at most has everybody else.
      attacker.nowMs += 59_000;
    }
    assert.equal(attacker.counters.bansActive, 0);
    attacker.nowMs += 1_000;
    assert.equal(attacker.guessing.refusal("unix:/run/mqtt.sock", "alice"), undefined);
  });

  it("makes who guesses over a Unix socket wait as well - attack AUTHN-06", () => {
    const attacker = new Attacker();
    const guess = (): number | undefined => attacker.guess("unix:/run/mqtt.sock", "alice");
    assert.deepEqual([guess(), guess(), guess(), guess()], [undefined, undefined, undefined, 0x9f]);
    attacker.nowMs += 1_000;
    assert.equal(guess(), undefined);
    assert.equal(guess(), 0x9f);
  });

  it("remembers a bounded number of attackers, and counts their bans right", () => {
    const attacker = new Attacker({ failuresPerUser: 1, failuresPerSource: 1 });
    for (let count = 0; count < 25_000; count++) {
      attacker.guess(`198.51.${count >> 8}.${count & 255}:1`, `u${count}`);
    }
    assert.equal(attacker.counters.bansActive, 40_000);
    attacker.nowMs += 60_000;
    attacker.guess("192.0.2.1:1", "alice");
    assert.equal(attacker.counters.bansActive, 2);
  });
});

describe("guessing at a broker", () => {
  it("is answered with 0x9F, then with 0x8A, 3.1.1: 3 and 5 - attack AUTHN-06", async (context) => {
    let asked = 0;
    const broker = await createTestBroker({
      authentication: [
        ({ password }) => {
          asked++;
          return password?.length === 5 ? { account: "alice" } : { reasonCode: 0x86 };
        },
      ],
      loginLimits: { failuresPerUser: 4, banMs: 60_000 },
    });
    context.after(() => broker.stop());
    const remoteAddress = "192.0.2.1:1";
    const wrong = { username: "alice", password: "wrong password" };
    const right = { username: "alice", password: "right" };
    for (let count = 0; count < 3; count++) {
      assert.equal(await tryLogin(broker, wrong, { remoteAddress }), 0x86);
    }
    assert.equal(await tryLogin(broker, wrong, { remoteAddress }), 0x9f);
    assert.equal(await tryLogin(broker, wrong, { remoteAddress, version: 4 }), 3);
    await broker.advance("1s");
    assert.equal(await tryLogin(broker, wrong, { remoteAddress, version: 4 }), 4);
    assert.equal(await tryLogin(broker, right, { remoteAddress }), 0x8a);
    assert.equal(await tryLogin(broker, right, { remoteAddress, version: 4 }), 5);
    assert.equal(asked, 4);
    assert.equal(await tryLogin(broker, right, { remoteAddress: "192.0.2.2:1" }), 0);
    await broker.advance("60s");
    assert.equal(await tryLogin(broker, right, { remoteAddress }), 0);
    assert.equal(broker.counters.authenticationHeldUp, 4);
  });
});
