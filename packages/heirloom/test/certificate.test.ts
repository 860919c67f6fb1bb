// Client certificates as identity: exactly one value, and no value that could be read as another.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { NO_CLAIMS, type ClientCertificate, type ClientInfo } from "@heirloom/core";
import { createBroker, type Answer, type CertificateField } from "heirloom";
import { CertificateAuthenticator } from "../dist/identity/certificate.js";
import { connectPacket, WireClient } from "./wire-client.ts";

const CERTIFICATE: ClientCertificate = {
  commonNames: ["device"],
  dnsNames: ["d.example.org"],
  emailAddresses: ["d@example.org"],
  uris: ["urn:device:1"],
  serialNumber: "01",
  fingerprint256: "AA:BB",
  raw: new Uint8Array(),
  validToMs: 0,
};

function ask(field: CertificateField, certificate: ClientCertificate | undefined): Answer {
  const client: ClientInfo = {
    clientId: "c",
    username: "sent",
    protocolVersion: 5,
    remoteAddress: "192.0.2.1:1",
    listener: "tls",
    account: undefined,
    claims: NO_CLAIMS,
    certificate,
  };
  const connect = connectPacket(5, { username: "sent" });
  return new CertificateAuthenticator(field).authenticate({ connect, client, refusal: () => undefined });
}

describe("a certificate", () => {
  for (const [field, username] of [
    ["commonName", "device"],
    ["dnsName", "d.example.org"],
    ["emailAddress", "d@example.org"],
    ["uri", "urn:device:1"],
    ["fingerprint", "AA:BB"],
  ] as const) {
    it(`names the user by its ${field}, whatever CONNECT says`, () => {
      assert.deepEqual(ask(field, CERTIFICATE), { username, account: username });
    });
  }

  it("that was not shown leaves the client to others", () => {
    assert.equal(ask("commonName", undefined), "unknown");
  });

  for (const commonNames of [
    [],
    ["device", "admin"],
    ["device", "device"],
    [""],
    ["a\0b"],
    ["a\nb"],
    ["\u0085"],
  ]) {
    it(`is refused with the common names ${JSON.stringify(commonNames)} - attack AUTHN-12`, () => {
      const answer = ask("commonName", { ...CERTIFICATE, commonNames });
      assert.ok(typeof answer === "object" && "reasonCode" in answer);
      assert.equal(answer.reasonCode, 0x87);
    });
  }

  for (const name of ["a,CN=admin", "a/CN=admin", "a+b", "CN=admin", "Jürgen"]) {
    it(`is taken at its word: ${name} - attack AUTHN-12`, () => {
      assert.deepEqual(ask("commonName", { ...CERTIFICATE, commonNames: [name] }), {
        username: name,
        account: name,
      });
    });
  }
});

describe("a certificate over TLS", () => {
  const path = (name: string): string =>
    fileURLToPath(new URL(`../test/certificates/${name}`, import.meta.url));

  it("is the account of its client, and two common names are none - attack AUTHN-12", async (context) => {
    const broker = await createBroker({
      store: "memory",
      listeners: [
        {
          host: "127.0.0.1",
          port: 0,
          tls: {
            certificate: path("server.pem"),
            key: path("server.key"),
            ca: path("ca.pem"),
            clientCertificate: "optional",
          },
        },
      ],
      authentication: [{ certificate: {} }],
    });
    context.after(() => broker.stop());
    const accounts: (string | undefined)[] = [];
    broker.on("connected", ({ client }) => void accounts.push(client.account));
    const port = broker.listeners[0]?.port ?? 0;
    const login = async (name: string | undefined): Promise<number | string> => {
      const own =
        name === undefined
          ? {}
          : { cert: await readFile(path(`${name}.pem`)), key: await readFile(path(`${name}.key`)) };
      const ca = await readFile(path("ca.pem"));
      const socket = connectTls({
        port,
        host: "127.0.0.1",
        ca,
        checkServerIdentity: () => undefined,
        ...own,
      });
      context.after(() => socket.destroy());
      await once(socket, "secureConnect");
      return new WireClient(socket).connect({ username: "admin" });
    };
    assert.equal(await login("client"), 0);
    assert.equal(await login("client-two-names"), 0x87);
    assert.equal(await login(undefined), 0x86);
    assert.deepEqual(accounts, ["thermometer"]);
  });
});
