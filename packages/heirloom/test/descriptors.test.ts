// A server whose file descriptors run out: it goes on with what it has, its store too, and takes connections again when
// there is room.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import mqtt from "mqtt";
import { Descriptors } from "../dist/transports/descriptors.js";
import { newDirectory, ServerProcess } from "./support.ts";

const PINGREQ = Buffer.from("c000", "hex");
const LIMIT = 256;
/** Half of the limit is for the store. */
const ROOM = LIMIT / 2;

/** CONNECT of 3.1.1 with an identifier of four characters. */
function connectPacket(number: number): Buffer {
  const clientId = String(number).padStart(4, "0");
  return Buffer.concat([Buffer.from("101000044d515454040200000004", "hex"), Buffer.from(clientId)]);
}

describe("the descriptors of a process", () => {
  it("are half for sockets when there are few, and all but those of the store when there are many", () => {
    assert.equal(new Descriptors(100).maximumSockets, 50);
    assert.equal(new Descriptors(20_000).maximumSockets, 18_900);
    assert.equal(new Descriptors(undefined).maximumSockets, Infinity);
  });

  it("are given back when a socket closes, once", async () => {
    const counted = new Descriptors(4);
    const [first, second, third] = [new Socket(), new Socket(), new Socket()];
    assert.deepEqual([counted.take(first), counted.take(second), counted.take(third)], [true, true, false]);
    first.destroy();
    third.destroy();
    await once(first, "close");
    assert.equal(counted.open, 1);
    assert.ok(counted.take(new Socket()));
  });
});

describe(
  "a server whose file descriptors run out",
  { skip: process.platform !== "linux" && "needs /proc" },
  () => {
    it("keeps some for its store, serves who is there, and takes connections again - attack CONN-04", async (context: TestContext) => {
      const under = ["sh", "-c", `ulimit -n ${LIMIT}; exec "$@"`, "sh"];
      const directory = await newDirectory(context);
      const server = new ServerProcess(context, ["--port", "0"], directory, under);
      const [, portText] = await server.untilOutput(/mqtt:\/\/127\.0\.0\.1:(\d+)/);
      const port = Number(portText);
      const url = `mqtt://127.0.0.1:${port}`;
      const away = await mqtt.connectAsync(url, { clientId: "away", clean: false });
      await away.subscribeAsync("stored/#", { qos: 1 });
      await away.endAsync();
      const publisher = await mqtt.connectAsync(url, { clientId: "publisher", reconnectPeriod: 0 });
      context.after(() => publisher.end(true));

      const sockets = Array.from({ length: 2 * LIMIT }, () => connect(port, "127.0.0.1"));
      context.after(() => sockets.forEach((socket) => socket.destroy()));
      const isTaken = await Promise.all(
        sockets.map((socket, index) => answers(socket, connectPacket(index))),
      );
      assert.equal(isTaken.filter(Boolean).length, ROOM - 1, "all but the publisher's");
      await server.untilErrors(/128 connections are open; the system allows no more files/);

      // More than a file of the store holds: it has to open others.
      const payload = Buffer.alloc(1_048_576, "x");
      for (let number = 0; number < 40; number++)
        await publisher.publishAsync(`stored/${number}`, payload, { qos: 1 });
      const taken = sockets.find((_, index) => isTaken[index] === true);
      assert.ok(taken !== undefined);
      taken.write(PINGREQ);
      await once(taken, "data");

      for (const socket of sockets) socket.destroy();
      const late = async (): Promise<boolean> => {
        const socket = connect(port, "127.0.0.1");
        context.after(() => socket.destroy());
        return answers(socket, connectPacket(9_999));
      };
      while (!(await late()));
      assert.equal(server.process.exitCode, null, server.errors);
      publisher.end(true);
      server.process.kill("SIGTERM");
      assert.equal(await server.exit(), 0);
    });
  },
);

/** Whether something comes back; false when the connection is closed instead. */
async function answers(socket: Socket, bytes: Buffer): Promise<boolean> {
  socket.on("error", () => {});
  socket.write(bytes);
  return new Promise<boolean>((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("close", () => resolve(false));
    socket.once("end", () => resolve(false));
  });
}
