// Client certificates as identity: exactly one value, and no value that could be read as another.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NO_CLAIMS, type ClientCertificate, type ClientInfo } from "@heirloom/core";
import type { Answer, CertificateField } from "heirloom";
import { CertificateAuthenticator } from "../dist/identity/certificate.js";
import { connectPacket } from "./wire-client.ts";

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
