// SCRAM-SHA-256: the vectors of RFC 7677, what is refused, and the exchange over MQTT 5.0 with re-authentication.

import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { PacketType, type Auth, type Packet } from "@heirloom/codec";
import { NO_CLAIMS, type AuthStep, type ClientInfo, type Refusal } from "@heirloom/core";
import { createTestBroker, type TestBroker, type TestBrokerOptions } from "heirloom/testing";
import type { PasswordFile } from "../dist/identity/password-file.js";
import { parsePasswordHash } from "../dist/identity/password-hash.js";
import { preparePassword, ScramCredential } from "../dist/identity/scram-credential.js";
import { ScramMethod } from "../dist/identity/scram.js";
import { newDirectory } from "./support.ts";
import { connectPacket, WireClient } from "./wire-client.ts";

const CLIENT: ClientInfo = {
  clientId: "c",
  username: undefined,
  protocolVersion: 5,
  remoteAddress: "192.0.2.1:1",
  listener: "tcp",
  account: undefined,
  claims: NO_CLAIMS,
  certificate: undefined,
};
/** RFC 7677 section 3. */
const RFC = {
  clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
  serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  clientFinal:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
} as const;

async function rfcFile(): Promise<PasswordFile> {
  const credential = await ScramCredential.make(
    Buffer.from("pencil"),
    Buffer.from(RFC.salt, "base64"),
    4_096,
  );
  const hash = parsePasswordHash(credential.toText());
  assert.ok(!("fault" in hash));
  return { users: new Map([["user", hash]]), hashes: [hash], warnings: [] };
}

interface Told {
  readonly failed: string[];
  readonly succeeded: string[];
  refusal: Refusal | undefined;
}

function methodOf(file: PasswordFile, nonce: string = RFC.serverNonce): { method: ScramMethod; told: Told } {
  const told: Told = { failed: [], succeeded: [], refusal: undefined };
  const watch = {
    refusal: () => told.refusal,
    failed: (_client: ClientInfo, username: string) => void told.failed.push(username),
    succeeded: (_client: ClientInfo, username: string) => void told.succeeded.push(username),
  };
  return {
    method: new ScramMethod(
      () => file,
      watch,
      () => nonce,
    ),
    told,
  };
}

/** Plays one side of an exchange. */
function play(method: ScramMethod, ...messages: (string | Uint8Array | undefined)[]): AuthStep[] {
  const exchange = method.start(CLIENT);
  const packet = connectPacket(5, {});
  return messages.map((message) => {
    const data = typeof message === "string" ? Buffer.from(message) : message;
    const step = exchange.step(data, packet);
    assert.ok(!(step instanceof Promise));
    return step;
  });
}

const dataOf = (step: AuthStep | undefined): string =>
  step !== undefined && "data" in step ? Buffer.from(step.data ?? []).toString() : "";

describe("ScramMethod", () => {
  it("says what RFC 7677 says, byte by byte", async () => {
    const { method, told } = methodOf(await rfcFile());
    const [first, final] = play(method, RFC.clientFirst, RFC.clientFinal);
    assert.equal(first?.outcome, "continue");
    assert.equal(dataOf(first), RFC.serverFirst);
    assert.equal(final?.outcome, "success");
    assert.equal(dataOf(final), RFC.serverFinal);
    assert.equal("account" in final ? final.account : "", "user");
    assert.deepEqual(told.succeeded, ["user"]);
  });

  for (const [what, message] of [
    ["channel binding", "p=tls-unique,,n=user,r=x"],
    ["another user's rights", "n,a=other,n=user,r=x"],
    ["a mandatory extension", "n,,m=x,n=user,r=x"],
    ["no user name", "n,,n=,r=x"],
    ["no nonce", "n,,n=user,r="],
    ["a wrong escape", "n,,n=us=er,r=x"],
    ["a NUL in the nonce", "n,,n=user,r=x\0"],
    ["nothing", ""],
    ["no data", undefined],
    ["what is no UTF-8", new Uint8Array([0x6e, 0x2c, 0xff])],
    ["too much", `n,,n=${"u".repeat(9_000)},r=x`],
  ] as const) {
    it(`refuses a first message with ${what}`, async () => {
      const [step] = play(methodOf(await rfcFile()).method, message);
      assert.equal(step?.outcome, "refuse");
    });
  }

  for (const [what, message] of [
    ["a wrong proof", RFC.clientFinal.replace("p=dH", "p=eH")],
    ["a proof that is cut", RFC.clientFinal.replace(/p=.*/, "p=dHzb")],
    ["another nonce", RFC.clientFinal.replace("r=rO", "r=sO")],
    ["another channel binding", RFC.clientFinal.replace("c=biws", "c=eSws")],
    ["no proof", "c=biws,r=x"],
  ] as const) {
    it(`refuses a last message with ${what}, and whatever follows`, async () => {
      const { method, told } = methodOf(await rfcFile());
      const steps = play(method, RFC.clientFirst, message, RFC.clientFinal);
      assert.deepEqual(
        steps.map(({ outcome }) => outcome),
        ["continue", "refuse", "refuse"],
      );
      assert.deepEqual(told.succeeded, []);
    });
  }

  it("gives unknown users a salt that stays the same, and the answer of a wrong proof - attack AUTHN-03", async () => {
    const file = await rfcFile();
    const first = "n,,n=nobody,r=rOprNGfwEbeRWgbNEkqO";
    const one = methodOf(file);
    const other = methodOf(file);
    const [challenge, refused] = play(one.method, first, RFC.clientFinal);
    assert.equal(dataOf(challenge), dataOf(play(other.method, first)[0]));
    assert.match(dataOf(challenge), /^r=[^,]+,s=[\w+/]{22}==,i=4096$/);
    assert.notEqual(dataOf(challenge), RFC.serverFirst);
    const [, wrong] = play(other.method, RFC.clientFirst, RFC.clientFinal.replace("p=dH", "p=eH"));
    assert.deepEqual(refused, wrong);
    assert.deepEqual(one.told.failed, ["nobody"]);
  });

  it("refuses a user whose password changed on the way", async () => {
    const before = await rfcFile();
    let file = before;
    const watch = { refusal: () => undefined, failed: () => {}, succeeded: () => {} };
    const exchange = new ScramMethod(
      () => file,
      watch,
      () => RFC.serverNonce,
    ).start(CLIENT);
    const packet = connectPacket(5, {});
    await exchange.step(Buffer.from(RFC.clientFirst), packet);
    file = { users: new Map(), hashes: [], warnings: [] };
    assert.equal((await exchange.step(Buffer.from(RFC.clientFinal), packet)).outcome, "refuse");
  });

  it("asks before it looks at a proof whether the user is banned by now - attack AUTHN-06", async () => {
    const { method, told } = methodOf(await rfcFile());
    const exchange = method.start(CLIENT);
    const packet = connectPacket(5, {});
    await exchange.step(Buffer.from(RFC.clientFirst), packet);
    told.refusal = { reasonCode: 0x8a };
    assert.deepEqual(await exchange.step(Buffer.from(RFC.clientFinal), packet), {
      outcome: "refuse",
      reasonCode: 0x8a,
    });
  });
});

describe("preparePassword", () => {
  it("gives one form to what looks the same, and leaves ASCII alone - RFC 4013", () => {
    const prepared = (text: string): string | undefined => {
      const bytes = preparePassword(Buffer.from(text));
      return bytes === undefined ? undefined : Buffer.from(bytes).toString();
    };
    assert.equal(prepared("Pencil 1!"), "Pencil 1!");
    assert.equal(prepared("I\u00adX"), "IX");
    assert.equal(prepared("\u00aa"), "a");
    assert.equal(prepared("\u2168"), "IX");
    assert.equal(prepared("e\u0301"), "\u00e9");
    assert.equal(prepared("a\u00a0b"), "a b");
    assert.equal(prepared("\u0007"), undefined);
    assert.equal(prepared(""), undefined);
    assert.equal(preparePassword(new Uint8Array([0xff])), undefined);
  });
});

/** The client's side, written down again from RFC 5802. */
class ScramClient {
  readonly #password: string;
  readonly #bare: string;

  constructor(username: string, password: string) {
    this.#password = password;
    this.#bare = `n=${username},r=fyko+d2lbbFgONRv9qkxdawL`;
  }

  get first(): Buffer {
    return Buffer.from(`n,,${this.#bare}`);
  }

  final(serverFirst: string): { message: Buffer; signature: string } {
    const [, nonce = "", salt = "", iterations = ""] = /^r=(.*),s=(.*),i=(.*)$/.exec(serverFirst) ?? [];
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
    const hmac = (key: Uint8Array, text: string): Buffer => createHmac("sha256", key).update(text).digest();
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${nonce}`;
    const authMessage = `${this.#bare},${serverFirst},${withoutProof}`;
    const signature = hmac(createHash("sha256").update(clientKey).digest(), authMessage);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    return {
      message: Buffer.from(`${withoutProof},p=${proof.toString("base64")}`),
      signature: `v=${hmac(hmac(salted, "Server Key"), authMessage).toString("base64")}`,
    };
  }
}

async function scramBroker(context: TestContext, more: TestBrokerOptions = {}): Promise<TestBroker> {
  const file = join(await newDirectory(context), "passwords");
  const lines = await Promise.all(
    ["alice", "bob"].map(
      async (name) => `${name}:${(await ScramCredential.make(Buffer.from(`of ${name}`))).toText()}\n`,
    ),
  );
  await writeFile(file, lines.join(""), { mode: 0o600 });
  const broker = await createTestBroker({
    authentication: [{ scram: { passwordFile: file } }, { passwordFile: file }],
    ...more,
  });
  context.after(() => broker.stop());
  return broker;
}

function auth(reasonCode: number, authenticationData: Uint8Array): Auth {
  const properties = { authenticationMethod: "SCRAM-SHA-256", authenticationData };
  return { type: PacketType.AUTH, reasonCode, properties };
}

function authenticationData(packet: Packet | "closed"): string {
  assert.ok(packet !== "closed");
  assert.ok("properties" in packet && "authenticationData" in packet.properties, `type ${packet.type}`);
  return Buffer.from(packet.properties.authenticationData ?? []).toString();
}

async function connectScram(client: WireClient, scram: ScramClient): Promise<void> {
  const properties = { authenticationMethod: "SCRAM-SHA-256", authenticationData: scram.first };
  client.send(connectPacket(5, { properties }));
  const { message, signature } = scram.final(authenticationData(await client.next()));
  client.send(auth(0x18, message));
  const connack = await client.next();
  assert.ok(connack !== "closed" && connack.type === PacketType.CONNACK);
  assert.equal(connack.reasonCode, 0);
  assert.equal(authenticationData(connack), signature);
}

describe("SCRAM-SHA-256 over MQTT 5.0", () => {
  it("lets in who knows the password, and again as the same account - 5.0 [MQTT-4.12.0-2]", async (context) => {
    const broker = await scramBroker(context);
    const accounts: (string | undefined)[] = [];
    broker.on("connected", ({ client }) => void accounts.push(client.account));
    const client = new WireClient(broker.connect());
    const scram = new ScramClient("alice", "of alice");
    await connectScram(client, scram);
    assert.deepEqual(accounts, ["alice"]);
    client.send(auth(0x19, scram.first));
    const { message, signature } = scram.final(authenticationData(await client.next()));
    client.send(auth(0x18, message));
    const done = await client.next();
    assert.ok(done !== "closed" && done.type === PacketType.AUTH);
    assert.equal(done.reasonCode, 0);
    assert.equal(authenticationData(done), signature);
  });

  it("ends a connection that comes back as another account", async (context) => {
    const broker = await scramBroker(context);
    const client = new WireClient(broker.connect());
    await connectScram(client, new ScramClient("alice", "of alice"));
    const other = new ScramClient("bob", "of bob");
    client.send(auth(0x19, other.first));
    client.send(auth(0x18, other.final(authenticationData(await client.next())).message));
    assert.equal(await client.disconnected(), 0x87);
  });

  it("ends a connection whose second proof is wrong", async (context) => {
    const broker = await scramBroker(context);
    const client = new WireClient(broker.connect());
    await connectScram(client, new ScramClient("alice", "of alice"));
    const wrong = new ScramClient("alice", "of nobody");
    client.send(auth(0x19, wrong.first));
    client.send(auth(0x18, wrong.final(authenticationData(await client.next())).message));
    assert.notEqual(await client.disconnected(), 0);
    assert.equal(broker.counters.authenticationFailures, 1);
  });

  it("lets nobody in whose files were read anew while the application thought about it - attack AUTHN-10", async (context) => {
    let goOn: (() => void) | undefined;
    let onAsked: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => (onAsked = resolve));
    const thinking = new Promise<void>((resolve) => (goOn = resolve));
    const connect = (): Promise<void> => {
      onAsked?.();
      return thinking;
    };
    const broker = await scramBroker(context, { hooks: { connect } });
    const client = new WireClient(broker.connect());
    const scram = new ScramClient("alice", "of alice");
    const properties = { authenticationMethod: "SCRAM-SHA-256", authenticationData: scram.first };
    client.send(connectPacket(5, { properties }));
    client.send(auth(0x18, scram.final(authenticationData(await client.next())).message));
    await asked;
    await broker.reload();
    goOn?.();
    const connack = await client.next();
    assert.ok(connack !== "closed" && connack.type === PacketType.CONNACK);
    assert.equal(connack.reasonCode, 0x88);
    // Who comes again is looked up in the files of now.
    await connectScram(new WireClient(broker.connect()), scram);
  });

  it("has the same users for passwords that are sent", async (context) => {
    const broker = await scramBroker(context);
    const client = new WireClient(broker.connect());
    assert.equal(await client.connect({ username: "bob", password: "of bob" }), 0);
  });
});
