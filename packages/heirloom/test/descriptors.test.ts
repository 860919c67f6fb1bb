// A server without file descriptors left: it goes on with what it has, and takes connections again when there is room.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { newDirectory, ServerProcess } from "./support.ts";

const CONNECT = Buffer.from("101000044d5154540402003c000461626364", "hex");
const PINGREQ = Buffer.from("c000", "hex");
const LIMIT = 100;

/** Whether a connection is taken, as its CONNACK tells; false when it is closed instead. */
async function isTaken(socket: Socket): Promise<boolean> {
  socket.on("error", () => {});
  socket.write(CONNECT);
  const came = new Promise<boolean>((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("close", () => resolve(false));
    socket.once("end", () => resolve(false));
  });
  return came;
}

describe(
  "a server without file descriptors",
  { skip: process.platform === "win32" && "needs ulimit" },
  () => {
    it("goes on, and takes connections again - attack CONN-04", async (context: TestContext) => {
      const under = ["sh", "-c", `ulimit -n ${LIMIT}; exec "$@"`, "sh"];
      const directory = await newDirectory(context);
      const server = new ServerProcess(context, ["--port", "0"], directory, under);
      const [, port] = await server.untilOutput(/mqtt:\/\/127\.0\.0\.1:(\d+)/);
      const open = (): Socket => {
        const socket = connect(Number(port), "127.0.0.1");
        context.after(() => socket.destroy());
        return socket;
      };
      const first = open();
      assert.ok(await isTaken(first));
      // The same client identifier would take over: these only say that they are there.
      const others = Array.from({ length: 3 * LIMIT }, open);
      for (const socket of others) socket.on("error", () => {}).resume();
      const closed = Promise.race(others.map((socket) => once(socket, "close")));
      await closed;
      // Its first client is served all the while.
      for (let round = 0; round < 20; round++) {
        first.write(PINGREQ);
        await once(first, "data");
      }
      const gone = others.filter((socket) => !socket.closed).map((socket) => once(socket, "close"));
      for (const socket of others) socket.destroy();
      await Promise.all(gone);
      first.write(PINGREQ);
      await once(first, "data");
      while (!(await isTaken(open())));
      assert.equal(server.process.exitCode, null);
      server.process.kill("SIGTERM");
      assert.equal(await server.exit(), 0);
    });
  },
);
