// Tokens: which are believed, which are not, until when, and where keys come from.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { JwtFields } from "heirloom";
import { createTestBroker, type TestBroker } from "heirloom/testing";
import { newDirectory } from "./support.ts";
import { tryLogin, WireClient } from "./wire-client.ts";

const START_MS = Date.UTC(2030, 0, 1);
const NOW = START_MS / 1_000;
const RSA = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const OTHER_RSA = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const EC = generateKeyPairSync("ec", { namedCurve: "P-256" });
const SECRET = "a secret of thirty-two bytes, ok";
const PAYLOAD = { sub: "alice", exp: NOW + 60 };

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function token(
  payload: unknown,
  header: Record<string, unknown> = {},
  key: KeyObject | string = RSA.privateKey,
): string {
  const head = { alg: "RS256", kid: "one", ...header };
  const signed = `${part(head)}.${part(payload)}`;
  const signature =
    typeof key === "string"
      ? createHmac("sha256", key).update(signed).digest()
      : sign("sha256", Buffer.from(signed), head.alg === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key);
  return `${signed}.${signature.toString("base64url")}`;
}

const publicSet = (...keys: Record<string, unknown>[]): string => JSON.stringify({ keys });
const jwk = (key: KeyObject, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...key.export({ format: "jwk" }),
  kid: "one",
  ...more,
});

/** A broker that believes tokens of a set with one RSA key. */
async function jwtBroker(
  context: TestContext,
  fields: Partial<JwtFields> = {},
  set: string = publicSet(jwk(RSA.publicKey)),
): Promise<TestBroker> {
  const jwksFile = join(await newDirectory(context), "jwks.json");
  await writeFile(jwksFile, set);
  const broker = await createTestBroker({
    authentication: [{ jwt: { jwksFile, ...fields } }],
    loginLimits: { trustedSources: ["192.0.2.1"] },
    startMs: START_MS,
  });
  context.after(() => broker.stop());
  return broker;
}

const login = (
  broker: TestBroker,
  password: string,
  more: { username?: string } = {},
): Promise<number | string> => tryLogin(broker, { password, ...more }, { remoteAddress: "192.0.2.1:1" });

describe("a token", () => {
  it("says who the client is, and what it claims", async (context) => {
    const broker = await jwtBroker(context);
    const clients: unknown[] = [];
    broker.on("connected", ({ client }) => void clients.push([client.account, client.claims.get("group")]));
    assert.equal(await login(broker, token({ ...PAYLOAD, group: "g" })), 0);
    assert.equal(await login(broker, token(PAYLOAD), { username: "ignored" }), 0);
    assert.deepEqual(clients, [
      ["alice", "g"],
      ["alice", undefined],
    ]);
  });

  const good = { issuer: "https://login", audience: ["mqtt"], clockTolerance: 60 } as const;
  const payload = { ...PAYLOAD, iss: "https://login", aud: "mqtt" };
  for (const [what, wrong] of [
    ["no algorithm", `${part({ alg: "none" })}.${part(payload)}.`],
    [
      "no algorithm, with a signature",
      `${part({ alg: "none" })}.${part(payload)}.${token(payload).split(".")[2]}`,
    ],
    [
      "the public key as secret",
      token(payload, { alg: "HS256" }, String(RSA.publicKey.export({ type: "spki", format: "pem" }))),
    ],
    ["a key that is not known", token(payload, { kid: "two" })],
    ["a path as key", token(payload, { kid: "../../../../dev/null" })],
    ["a URL as key", token(payload, { kid: "http://127.0.0.1/key" })],
    ["another's signature", token(payload, {}, OTHER_RSA.privateKey)],
    ["a key of another type", token(payload, { alg: "ES256" }, EC.privateKey)],
    ["its own key", token(payload, { jwk: jwk(OTHER_RSA.publicKey) }, OTHER_RSA.privateKey)],
    ["an unknown critical header", token(payload, { crit: ["x"], x: 1 })],
    ["no expiry", token({ ...payload, exp: undefined })],
    ["an expiry that is no number", token({ ...payload, exp: "tomorrow" })],
    ["an expiry in the past", token({ ...payload, exp: NOW - 61 })],
    ["a beginning in the future", token({ ...payload, nbf: NOW + 61 })],
    ["another audience", token({ ...payload, aud: "http" })],
    ["no audience", token({ ...payload, aud: undefined })],
    ["no user", token({ ...payload, sub: undefined })],
    ["a user that is no text", token({ ...payload, sub: 7 })],
    ["an empty user", token({ ...payload, sub: "" })],
    ["a user with a NUL", token({ ...payload, sub: "a\0b" })],
    ["more than 8 KiB", token({ ...payload, more: "x".repeat(8_192) })],
    ["a payload that is no JSON", `${part({ alg: "RS256" })}.eyJ.AAAA`],
    ["another issuer", token({ ...payload, iss: "https://other" })],
    ["a changed payload", token(payload).replace(/\.[^.]+\./, `.${part({ ...payload, sub: "root" })}.`)],
  ] as const) {
    it(`is not believed with ${what} - attack AUTHN-09`, async (context) => {
      const broker = await jwtBroker(context, good);
      assert.equal(await login(broker, token(payload)), 0);
      assert.equal(await login(broker, wrong), 0x86);
      assert.equal(broker.counters.authenticationErrors, 0);
    });
  }

  it("never makes the broker fetch what its header names - attack AUTHN-09", async (context) => {
    let requests = 0;
    const server = createServer((_request, response) => {
      requests++;
      response.setHeader("content-type", "application/json").end(publicSet(jwk(OTHER_RSA.publicKey)));
    }).listen(0, "127.0.0.1");
    context.after(() => server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const broker = await jwtBroker(context);
    const url = `http://127.0.0.1:${port}/keys`;
    assert.equal(await login(broker, token(PAYLOAD, { jku: url, x5u: url }, OTHER_RSA.privateKey)), 0x86);
    assert.equal(requests, 0);
  });

  it("ends the connection when it expires - attack AUTHN-10", async (context) => {
    const broker = await jwtBroker(context);
    const client = new WireClient(broker.connect());
    assert.equal(await client.connect({ password: token({ sub: "alice", exp: NOW + 2 }) }), 0);
    await broker.advance("1s");
    assert.equal(broker.counters.connectionsOpen, 1);
    await broker.advance("1s");
    assert.equal(await client.disconnected(), 0x87);
    await broker.settle();
    assert.equal(broker.counters.connectionsOpen, 0);
    assert.equal(await login(broker, token({ sub: "alice", exp: NOW + 2 })), 0x86);
  });

  it("must be of the user name in CONNECT where that is asked for", async (context) => {
    const broker = await jwtBroker(context, { matchUsername: true });
    assert.equal(await login(broker, token(PAYLOAD), { username: "alice" }), 0);
    assert.equal(await login(broker, token(PAYLOAD), { username: "bob" }), 0x86);
    assert.equal(await login(broker, token(PAYLOAD)), 0x86);
  });

  it("may stand in the user name, and name the user by another claim", async (context) => {
    const broker = await jwtBroker(context, { from: "username", usernameClaim: "device" });
    const names: unknown[] = [];
    broker.on("connected", ({ client }) => void names.push(client.username));
    const username = token({ device: "d1", exp: NOW + 60 });
    assert.equal(await tryLogin(broker, { username }), 0);
    assert.deepEqual(names, ["d1"]);
    assert.equal(await tryLogin(broker, { username: token(PAYLOAD) }), 0x86);
  });

  it("may be signed with one public key, or a secret of its own", async (context) => {
    const directory = await newDirectory(context);
    const publicKeyFile = join(directory, "key.pem");
    const secretFile = join(directory, "secret");
    await writeFile(publicKeyFile, EC.publicKey.export({ type: "spki", format: "pem" }));
    await writeFile(secretFile, `${SECRET}\n`, { mode: 0o600 });
    const broker = async (fields: JwtFields): Promise<TestBroker> => {
      const started = await createTestBroker({ authentication: [{ jwt: fields }], startMs: START_MS });
      context.after(() => started.stop());
      return started;
    };
    const byKey = await broker({ publicKeyFile });
    assert.equal(await login(byKey, token(PAYLOAD, { alg: "ES256" }, EC.privateKey)), 0);
    assert.equal(await login(byKey, token(PAYLOAD)), 0x86);
    const bySecret = await broker({ secretFile });
    assert.equal(await login(bySecret, token(PAYLOAD, { alg: "HS256" }, SECRET)), 0);
    assert.equal(await login(bySecret, token(PAYLOAD, { alg: "HS256" }, `${SECRET}x`)), 0x86);
    assert.equal(await login(bySecret, token(PAYLOAD)), 0x86);
  });
});

describe("keys of tokens", () => {
  for (const [what, set, message] of [
    ["no JSON", "{", "is not JSON"],
    ["no set", "{}", "expected a JWKS: an object with `keys`"],
    ["an empty set", publicSet(), "a JWKS without keys"],
    ["a secret in a public set", publicSet({ kty: "oct", k: "AAAA" }), "a symmetric key"],
  ] as const) {
    it(`keep the broker from starting: ${what}`, async (context) => {
      await assert.rejects(jwtBroker(context, {}, set), (error) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.includes(message), error.message);
        return true;
      });
    });
  }

  it("keep the broker from starting: a short secret, a private key, a small RSA key", async (context) => {
    const file = join(await newDirectory(context), "file");
    const starts = async (fields: JwtFields, text: string | Buffer): Promise<void> => {
      await writeFile(file, text);
      await createTestBroker({ authentication: [{ jwt: fields }] });
    };
    const pem = (key: KeyObject, type: "spki" | "pkcs8"): string | Buffer =>
      key.export({ type, format: "pem" });
    await assert.rejects(
      starts({ secretFile: file }, "short"),
      /seen 5 bytes, expected a secret of at least 32/,
    );
    await assert.rejects(starts({ secretFile: file }, pem(RSA.publicKey, "spki")), /seen a key in PEM/);
    await assert.rejects(starts({ publicKeyFile: file }, pem(RSA.privateKey, "pkcs8")), /seen a private key/);
    const small = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey;
    await assert.rejects(starts({ publicKeyFile: file }, pem(small, "spki")), /an RSA key of 1024 bits/);
  });

  it("are fetched, fetched again for a new key, and kept while the server is down - attack AUTHN-07", async (context) => {
    let set = publicSet(jwk(RSA.publicKey));
    let status = 200;
    let requests = 0;
    const server = createServer((_request, response) => {
      requests++;
      response.statusCode = status;
      response.setHeader("content-type", "application/jwk-set+json").end(set);
    }).listen(0, "127.0.0.1");
    context.after(() => server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const broker = await createTestBroker({
      authentication: [{ jwt: { jwksUrl: `http://127.0.0.1:${port}/keys` } }],
      loginLimits: { trustedSources: ["192.0.2.1"] },
      startMs: START_MS,
    });
    context.after(() => broker.stop());
    const warnings: string[] = [];
    broker.on("warning", ({ message }) => void warnings.push(message));
    const later = { sub: "alice", exp: NOW + 100_000 };

    status = 500;
    assert.equal(await login(broker, token(later)), 0x88);
    assert.deepEqual(warnings, [`jwt: http://127.0.0.1:${port}/keys: status 500, expected 200`]);
    status = 200;
    await broker.advance("2s");
    assert.equal(await login(broker, token(later)), 0);
    const before = requests;
    const newToken = token(later, { kid: "two" }, OTHER_RSA.privateKey);
    for (let count = 0; count < 10; count++) assert.equal(await login(broker, newToken), 0x86);
    assert.equal(requests, before, "not at once again");
    set = publicSet(jwk(RSA.publicKey), jwk(OTHER_RSA.publicKey, { kid: "two" }));
    await broker.advance("30s");
    assert.equal(await login(broker, newToken), 0);
    assert.equal(requests, before + 1);
    status = 500;
    await broker.advance("1h");
    assert.equal(await login(broker, newToken), 0);
    assert.equal(await login(broker, token(later)), 0);
  });
});
