// Logging in with user name and password: what is accepted, what is refused and how, and what a reload does.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createTestBroker, type TestBroker, type TestBrokerOptions } from "heirloom/testing";
import { ServerCounters } from "heirloom";
import { Chain } from "../dist/identity/chain.js";
import { Guessing } from "../dist/identity/guessing.js";
import { KeyedCache } from "../dist/identity/keyed-cache.js";
import { DEFAULT_LOGIN_LIMITS } from "../dist/identity/options.js";
import { PasswordAuthenticator } from "../dist/identity/password-authenticator.js";
import type { PasswordFile } from "../dist/identity/password-file.js";
import { hashPassword, parsePasswordHash, type PasswordHash } from "../dist/identity/password-hash.js";
import { Slots } from "../dist/identity/slots.js";
import { someone } from "./permissions-support.ts";
import { newDirectory } from "./support.ts";
import { connectPacket, tryLogin, WireClient } from "./wire-client.ts";

const QUICK = "$7$1$4oaWksWOHRWJVfQg$";
/** Mosquitto's form with one iteration: tests need not wait. */
async function quickHash(password: string): Promise<string> {
  const { pbkdf2Sync } = await import("node:crypto");
  const salt = Buffer.from("4oaWksWOHRWJVfQg", "base64");
  return QUICK + pbkdf2Sync(password, salt, 1, 64, "sha512").toString("base64");
}

async function started(
  context: TestContext,
  options: TestBrokerOptions = {},
): Promise<{ broker: TestBroker; file: string; write: (users: Record<string, string>) => Promise<void> }> {
  const file = join(await newDirectory(context), "passwords");
  const write = async (users: Record<string, string>): Promise<void> => {
    const lines = await Promise.all(
      Object.entries(users).map(async ([name, password]) => `${name}:${await quickHash(password)}\n`),
    );
    await writeFile(file, lines.join(""), { mode: 0o600 });
  };
  await write({ alice: "secret", bob: "other" });
  const broker = await createTestBroker({ authentication: [{ passwordFile: file }], ...options });
  context.after(() => broker.stop());
  return { broker, file, write };
}

describe("a password file", () => {
  it("lets in who has the right password", async (context) => {
    const { broker } = await started(context);
    assert.equal(await tryLogin(broker, { username: "alice", password: "secret" }), 0);
    assert.equal(await tryLogin(broker, { username: "bob", password: "other" }, { version: 4 }), 0);
    assert.equal(broker.counters.authenticationSuccesses, 2);
  });

  for (const version of [3, 4, 5] as const) {
    it(`refuses a missing, an empty and a wrong password, MQTT ${version} - attack AUTHN-01, attack AUTHN-04`, async (context) => {
      const { broker } = await started(context, { loginLimits: { trustedSources: ["192.0.2.1"] } });
      const where = { version, remoteAddress: "192.0.2.1:1" };
      const refused = version === 5 ? 0x86 : 4;
      const passwords = ["", "Secret", "secret\0", "secret ", "s", "x".repeat(1_025), "secret".repeat(100)];
      for (const password of passwords) {
        assert.equal(await tryLogin(broker, { username: "alice", password }, where), refused, password);
      }
      assert.equal(await tryLogin(broker, { username: "alice" }, where), refused);
      assert.equal(await tryLogin(broker, { username: "" }, where), refused);
      assert.equal(await tryLogin(broker, { username: "", password: "" }, where), refused);
      assert.equal(await tryLogin(broker, { username: "nobody", password: "secret" }, where), refused);
      assert.equal(await tryLogin(broker, {}, where), version === 5 ? 0x87 : 5);
      assert.equal(broker.counters.authenticationSuccesses, 0);
    });
  }

  it("knows users and passwords byte for byte: no form is another one, and U+FEFF counts - attack PARSE-15", async (context) => {
    const { broker, write } = await started(context, { loginLimits: { trustedSources: ["192.0.2.1"] } });
    const texts = ["\u00e9", "e\u0301", "\ufeff\u00e9", "\u00e9\ufeff"];
    const where = { remoteAddress: "192.0.2.1:1" };
    for (const known of ["\u00e9", "e\u0301"]) {
      for (const secret of texts) {
        await write({ alice: "secret", [known]: secret });
        await broker.reload();
        for (const username of texts) {
          for (const password of texts) {
            const expected = username === known && password === secret ? 0 : 0x86;
            const seen = await tryLogin(broker, { username, password }, where);
            assert.equal(seen, expected, JSON.stringify([known, secret, username, password]));
          }
        }
      }
    }
    // A name that nobody can see is none for a file.
    await write({ alice: "secret", "\ufeffalice": "other" });
    await assert.rejects(broker.reload(), { code: "CONFIG_INVALID" });
  });

  it("says the same to unknown users as to wrong passwords - attack AUTHN-03", async (context) => {
    const { broker } = await started(context);
    const reasons: string[] = [];
    broker.on("refused", ({ reasonCode, reason }) => reasons.push(`${reasonCode} ${reason}`));
    await tryLogin(broker, { username: "alice", password: "wrong" });
    await tryLogin(broker, { username: "nobody", password: "wrong" });
    assert.equal(reasons.length, 2);
    assert.equal(reasons[0], reasons[1]);
  });

  it("does the work of one hash for unknown users as for wrong passwords, of the kinds that there are in all files - attack AUTHN-03", async () => {
    const verified: string[] = [];
    const hash = (text: string): PasswordHash => ({
      text,
      verify: () => Promise.resolve(verified.push(text) === 0),
    });
    const fileOf = (...names: string[]): (() => PasswordFile) => {
      const users = new Map(names.map((name) => [name, hash(`hash of ${name}`)]));
      const file = { users, hashes: [...users.values()], warnings: [] };
      return () => file;
    };
    const files = [fileOf("alice", "bob"), fileOf("carol")];
    const limits = { ...DEFAULT_LOGIN_LIMITS, trustedSources: ["192.0.2.1"] };
    const counters = new ServerCounters();
    const work = {
      slots: new Slots(2, 1_000),
      files,
      verified: new KeyedCache<true>(10, () => 0),
      verifiedForMs: 1_000,
    };
    const chain = new Chain({
      authenticators: files.map((file) => new PasswordAuthenticator(file, work)),
      guessing: new Guessing(limits, counters, () => 0),
      counters,
      allowsAnonymous: () => false,
      nameFault: () => undefined,
      connectHook: undefined,
      warn: (message) => assert.equal(message, "none"),
      now: () => 0,
    });
    const workOf = async (username: string, password?: string): Promise<readonly string[]> => {
      verified.length = 0;
      const init = { username, ...(password === undefined ? {} : { password }) };
      const client = someone({ remoteAddress: "192.0.2.1:1", username });
      const answer = await chain.connect(connectPacket(5, init), client);
      assert.deepEqual(answer, { reasonCode: 0x86, reasonString: "no such user name and password" });
      return [...verified];
    };
    assert.deepEqual(await workOf("alice", "wrong"), ["hash of alice"]);
    assert.deepEqual(await workOf("carol", "wrong"), ["hash of carol"]);
    const decoys = new Set<string | undefined>();
    for (let number = 0; number < 100; number++) {
      const done = await workOf(`nobody-${number}`, "wrong");
      assert.equal(done.length, 1);
      assert.deepEqual(await workOf(`nobody-${number}`, "again"), done, "always the same");
      decoys.add(done[0]);
    }
    assert.equal(decoys.size, 3, "of both files");
    // What nobody's password can be costs nothing, whoever it is.
    for (const password of [undefined, "", "x".repeat(1_025)]) {
      assert.deepEqual([await workOf("alice", password), await workOf("nobody", password)], [[], []]);
    }
  });

  it("hashes outside of the event loop - attack AUTHN-05", async () => {
    const hash = parsePasswordHash(await hashPassword(Buffer.from("secret")));
    assert.ok("verify" in hash);
    const before = performance.eventLoopUtilization();
    for (let count = 0; count < 4; count++) assert.equal(await hash.verify(Buffer.from("wrong")), false);
    assert.ok(performance.eventLoopUtilization(before).utilization < 0.5);
  });

  it("lets in who is remembered although no hash comes to an end, and holds no password in mind - attack AUTHN-05", async () => {
    let isStuck = false;
    const hash: PasswordHash = {
      text: "hash",
      verify: () => (isStuck ? new Promise(() => undefined) : Promise.resolve(true)),
    };
    const file: PasswordFile = { users: new Map([["alice", hash]]), hashes: [hash], warnings: [] };
    const verified = new KeyedCache<true>(10, () => 0);
    const slots = new Slots(1, 1);
    const work = { slots, files: [() => file], verified, verifiedForMs: 1_000 };
    const authenticator = new PasswordAuthenticator(() => file, work);
    const logIn = (password: string): ReturnType<PasswordAuthenticator["authenticate"]> =>
      authenticator.authenticate({
        connect: connectPacket(5, { username: "alice", password }),
        client: someone({ username: "alice" }),
        refusal: () => undefined,
      });
    const alice = { username: "alice", account: "alice" };
    assert.deepEqual(await logIn("secret"), alice);
    isStuck = true;
    void logIn("first guess");
    void logIn("second guess");
    assert.equal(slots.waitingCount, 1);
    for (let count = 0; count < 100; count++) {
      assert.deepEqual(await logIn(`guess ${count}`), {
        reasonCode: 0x89,
        reasonString: "too many clients log in at the moment",
      });
      assert.deepEqual(await logIn("secret"), alice);
    }
    const key = verified.keyOf(["alice", "secret", "hash"]);
    assert.doesNotMatch(key, /alice|secret/);
    assert.notEqual(
      new KeyedCache<true>(10, () => 0).keyOf(["alice", "secret", "hash"]),
      key,
      "a key of its own",
    );
  });

  it("lets in anonymous clients only where that was said, and never with a user name - attack AUTHN-08", async (context) => {
    const { broker } = await started(context, { allowAnonymous: true });
    assert.equal(await tryLogin(broker, {}), 0);
    assert.equal(await tryLogin(broker, { username: "nobody" }), 0x86);
    assert.equal(await tryLogin(broker, { username: "alice", password: "wrong" }), 0x86);
  });

  it("does nothing of a CONNECT that is refused - attack AUTHN-11", async (context) => {
    const { broker } = await started(context);
    const wills: string[] = [];
    await broker.subscribe("#", ({ topicName }) => void wills.push(topicName));
    const victim = new WireClient(broker.connect());
    const session = { clientId: "v", cleanStart: false, properties: { sessionExpiryInterval: 1_000 } };
    assert.equal(await victim.connect({ ...session, username: "alice", password: "secret" }), 0);
    const will = {
      topicName: "will",
      payload: Buffer.from("x"),
      qos: 1,
      retain: true,
      willDelayInterval: 0,
      messageExpiryInterval: -1,
      forwarded: new Uint8Array(),
    } as const;
    for (const password of ["wrong", undefined]) {
      const wrong = { clientId: "v", cleanStart: true, will, username: "alice" };
      assert.equal(
        await tryLogin(broker, { ...wrong, ...(password === undefined ? {} : { password }) }),
        0x86,
      );
    }
    await broker.settle();
    assert.deepEqual(wills, []);
    assert.equal(broker.counters.sessions - 1, 1, "the application's and the victim's");
    assert.equal(broker.counters.takeovers, 0);
    assert.equal(victim.stream.destroyed, false);
  });

  it("ends connections whose password changed, and connections and sessions of users that vanished - attack SESS-09, attack AUTHN-10", async (context) => {
    const { broker, write } = await started(context);
    const connect = async (username: string, password: string): Promise<WireClient> => {
      const client = new WireClient(broker.connect());
      const properties = { sessionExpiryInterval: 1_000 };
      const init = { clientId: username, username, password, cleanStart: false, properties };
      assert.equal(await client.connect(init), 0);
      return client;
    };
    await write({ alice: "secret", bob: "other", carol: "third" });
    await broker.reload();
    const [alice, bob, carol] = [
      await connect("alice", "secret"),
      await connect("bob", "other"),
      await connect("carol", "third"),
    ];
    await write({ alice: "another", carol: "third" });
    await broker.reload();
    assert.equal(await alice.disconnected(), 0x87);
    assert.equal(await bob.disconnected(), 0x98);
    assert.equal(broker.counters.sessions, 2);
    assert.equal(carol.stream.destroyed, false);
    assert.equal(await tryLogin(broker, { username: "alice", password: "secret" }), 0x86);
    assert.equal(await tryLogin(broker, { username: "alice", password: "another" }), 0);
    assert.equal(await tryLogin(broker, { username: "bob", password: "other" }), 0x86);
  });

  it("stays as it was when the new one is wrong - attack AUTHN-02, attack CFG-01", async (context) => {
    const { broker, file } = await started(context);
    await writeFile(file, "alice\n");
    await assert.rejects(broker.reload(), /passwords:1: seen a line without a colon/);
    assert.equal(await tryLogin(broker, { username: "alice", password: "secret" }), 0);
  });

  it("warns of a file that all can read when the application can hear it - attack CFG-03", async (context) => {
    const file = join(await newDirectory(context), "passwords");
    await writeFile(file, "", { mode: 0o644 });
    const broker = await createTestBroker({ authentication: [{ passwordFile: file }] });
    context.after(() => broker.stop());
    const message = await new Promise<string>((resolve) =>
      broker.on("warning", (warning) => resolve(warning.message)),
    );
    assert.match(message, /passwords can be read by every user of this machine/);
  });

  it("keeps the broker from starting when it is wrong, or is not there", async (context) => {
    const file = join(await newDirectory(context), "passwords");
    const options = { authentication: [{ passwordFile: file }] };
    await assert.rejects(createTestBroker(options), /cannot be read/);
    await writeFile(file, "alice:secret\n");
    await assert.rejects(createTestBroker(options), { code: "CONFIG_INVALID" });
  });

  it("turns logins away when too many wait, and forgets none of the others - attack AUTHN-05", async (context) => {
    const file = join(await newDirectory(context), "passwords");
    await writeFile(file, `alice:${await hashPassword(Buffer.from("secret"))}\n`, { mode: 0o600 });
    const broker = await createTestBroker({
      authentication: [{ passwordFile: file }],
      loginLimits: { hashesAtOnce: 1, hashesWaiting: 1, trustedSources: ["192.0.2.1"] },
    });
    context.after(() => broker.stop());
    const logins = Array.from({ length: 4 }, (_, index) =>
      tryLogin(broker, { clientId: `c${index}`, username: "alice", password: "secret" }),
    );
    assert.deepEqual((await Promise.all(logins)).sort(), [0, 0, 0x89, 0x89]);
    assert.equal(broker.counters.authenticationTurnedAway, 2);
    const where = { remoteAddress: "192.0.2.1:1" };
    // Wrong ones are remembered by nobody. Who is turned away is told why, as the version can say it, and has no connection.
    for (const version of [3, 4, 5] as const) {
      const clients = Array.from({ length: 3 }, () => new WireClient(broker.connect(where), version));
      const answers = clients.map(async (client, index) => {
        const init = { clientId: `v${version}-${index}`, username: "alice", password: "wrong" };
        const answer = await client.connect(init);
        assert.equal(await client.next(), "closed");
        return answer;
      });
      const [wrong, busy] = version === 5 ? [0x86, 0x89] : [4, 3];
      assert.deepEqual((await Promise.all(answers)).sort(), [wrong, wrong, busy].toSorted());
    }
    assert.equal(broker.counters.connectionsOpen, 0);
    // Remembered: no hashing, so nobody is turned away.
    const again = Array.from({ length: 20 }, (_, index) =>
      tryLogin(broker, { clientId: `d${index}`, username: "alice", password: "secret" }),
    );
    assert.deepEqual(new Set(await Promise.all(again)), new Set([0]));
  });
});
