// The runner against servers that are no brokers: it reports, it does not hang, and it passes nothing.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { test } from "node:test";
import { type Controls, SkipError, runConformance } from "@heirloom/conformance";

async function withServer(
  onSocket: (socket: Socket) => void,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address: AddressInfo | string | null = server.address();
  assert.ok(address !== null && typeof address === "object");
  try {
    await use(address.port);
  } finally {
    server.close();
  }
}

const only = "PINGREQ is answered by PINGRESP";

test("a server that closes at once fails the case in each version, with what was expected", async () => {
  await withServer(
    (socket) => socket.end(),
    async (port) => {
      const results = await runConformance({ host: "127.0.0.1", port, only });
      assert.deepEqual(results.map(({ status, version }) => `${status} ${version}`).sort(), [
        "fail 3.1",
        "fail 3.1.1",
        "fail 5.0",
      ]);
      for (const { reason } of results)
        assert.match(reason, /the connection ended while a packet was expected/);
    },
  );
});

test("a broken packet fails the case whatever it is about", async () => {
  await withServer(
    (socket) => socket.write(Buffer.from("2002ff00", "hex")),
    async (port) => {
      const [result] = await runConformance({ host: "127.0.0.1", port, only, version: "3.1.1" });
      assert.equal(result?.status, "fail");
      assert.match(result.reason, /acknowledge flags 255 are reserved/);
    },
  );
});

test("nobody listening is a failure and not a pass", async () => {
  let free = 0;
  await withServer(
    () => undefined,
    (port) => {
      free = port;
      return Promise.resolve();
    },
  );
  const [result] = await runConformance({ host: "127.0.0.1", port: free, only, version: "5.0" });
  assert.equal(result?.status, "fail");
});

test("cases that need another broker are skipped without controls and by controls that cannot", async () => {
  const options = { host: "127.0.0.1", port: 1, only: "Maximum QoS 0", version: "5.0" } as const;
  const [without] = await runConformance(options);
  assert.equal(without?.status, "skip");
  assert.match(without.reason, /needs a broker with \{"maximumQoS":0\}/);
  const controls: Controls = {
    withBroker: () => Promise.reject(new SkipError("this broker has no Maximum QoS")),
  };
  const [cannot] = await runConformance({ ...options, controls });
  assert.deepEqual([cannot?.status, cannot?.reason], ["skip", "this broker has no Maximum QoS"]);
});

test("cases of a version that the broker refuses are skipped", async () => {
  await withServer(
    (socket) => socket.end(Buffer.from("20020001", "hex")),
    async (port) => {
      const results = await runConformance({ host: "127.0.0.1", port, only });
      assert.deepEqual(
        results.map(({ status, reason }) => `${status}: ${reason}`),
        ["3.1", "3.1.1", "5.0"].map((version) => `skip: the broker does not speak ${version}`),
      );
    },
  );
});

test("cases that go beyond the standard run only when they are asked for", async () => {
  const options = { host: "127.0.0.1", port: 1, only: "kill -9", version: "5.0" } as const;
  assert.deepEqual(await runConformance(options), []);
  const asked = await runConformance({ ...options, contract: true });
  assert.ok(asked.length > 0);
  assert.ok(asked.every(({ contract }) => contract));
});
