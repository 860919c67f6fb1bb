// Asking another server over TLS: it is the one that was meant, each time, or nothing is said to it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ConfigError } from "heirloom";
import { createTestBroker } from "heirloom/testing";
import { readAuthorities } from "../dist/identity/files.js";
import { JsonEndpoint } from "../dist/identity/http.js";
import { certificateFile } from "./certificates.ts";
import { newDirectory } from "./support.ts";

interface Server {
  readonly port: number;
  /** Requests that were read. */
  asked: number;
}

/** A server with one of the certificates of the tests. */
async function serving(context: TestContext, name: string): Promise<Server> {
  const [cert, key] = await Promise.all([
    readFile(certificateFile(`${name}.pem`)),
    readFile(certificateFile(`${name}.key`)),
  ]);
  const https = createServer({ cert, key }, (_request, response) => {
    server.asked++;
    response.setHeader("content-type", "application/json").end('{"result": "allow"}');
  }).listen(0);
  context.after(() => {
    https.close();
    https.closeAllConnections();
  });
  await once(https, "listening");
  const server = { port: (https.address() as AddressInfo).port, asked: 0 };
  return server;
}

async function endpointAt(
  context: TestContext,
  port: number,
  host: string,
  ca: string,
): Promise<JsonEndpoint> {
  const endpoint = new JsonEndpoint({
    ...{ timeoutMs: 5_000, maximumBytes: 1_000, atOnce: 1, mayWait: 1, now: () => 0 },
    url: `https://${host}:${port}/`,
    ca: await readAuthorities(certificateFile(ca)),
  });
  context.after(() => endpoint.close());
  return endpoint;
}

describe("a server that is asked over TLS", () => {
  it("is asked when its certificate is of the authority, and of its name", async (context) => {
    const server = await serving(context, "server");
    const endpoint = await endpointAt(context, server.port, "localhost", "ca.pem");
    assert.deepEqual(await endpoint.get(), { result: "allow" });
    assert.equal(server.asked, 1);
  });

  for (const [what, certificate, host, ca, message] of [
    ["of another authority", "server", "localhost", "other-ca.pem", /unable to verify the first certificate/],
    ["of another name", "server-named", "localhost", "ca.pem", /does not match/],
    [
      "of a name, and not of the address that is asked",
      "server-named",
      "127.0.0.1",
      "ca.pem",
      /does not match/,
    ],
    ["that has expired", "client-expired", "localhost", "ca.pem", /expired/],
    ["that is for clients only", "client", "localhost", "ca.pem", /purpose/],
  ] as const) {
    it(`is told nothing with a certificate ${what}, the second time neither - attack TLS-04`, async (context) => {
      const server = await serving(context, certificate);
      const endpoint = await endpointAt(context, server.port, host, ca);
      for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(endpoint.get(), { message });
      assert.equal(server.asked, 0);
    });
  }

  it("is told nothing either when the environment says that no certificate matters - attack TLS-04", async (context) => {
    const server = await serving(context, "server");
    const endpoint = await endpointAt(context, server.port, "localhost", "other-ca.pem");
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await assert.rejects(endpoint.get(), { code: "HTTP_FAILED" });
    } finally {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
    }
    assert.equal(server.asked, 0);
  });

  it("needs authorities: an empty file of them, or another one, keeps the broker from starting - attack TLS-04", async (context) => {
    const directory = await newDirectory(context);
    const url = "https://localhost/";
    for (const [name, text] of [
      ["empty", ""],
      ["words", "no certificate\n"],
      ["broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
      ["key", await readFile(certificateFile("server.key"), "utf8")],
    ] as const) {
      const caFile = join(directory, name);
      await writeFile(caFile, text);
      for (const options of [
        { authentication: [{ webhook: { url, caFile } }] },
        { authentication: [{ jwt: { jwksUrl: url, caFile } }] },
        { permissions: [{ webhook: { url, caFile } }] },
      ]) {
        await assert.rejects(createTestBroker(options), (error: unknown) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.file, caFile);
          return !error.message.includes("PRIVATE");
        });
      }
    }
  });
});
