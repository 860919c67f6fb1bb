// The transport over a stream, on real sockets: the peer gets the last packet, and nothing that it does is an exception.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { listenTcp } from "../dist/transports/tcp.js";
import { StreamTransport } from "../dist/transports/stream.js";
import type { ListenerSettings } from "../dist/config/listener-settings.js";
import { resolveSettings } from "../dist/config/settings.js";
import { strangerAt, type Listener } from "../dist/transports/transport.js";
import { Accepting, connectTcp, NotingConnection, readAll } from "./support.ts";

function settings(options: { connections?: number; host?: string; port?: number } = {}): ListenerSettings {
  const [listener] = resolveSettings({ listeners: [{ port: 0, ...options }] }, false, []).listeners;
  assert.ok(listener !== undefined);
  return listener;
}

async function listening(
  context: TestContext,
  options?: { connections?: number; host?: string },
): Promise<{ listener: Listener; accepting: Accepting }> {
  const accepting = new Accepting();
  const listener = await listenTcp(settings(options), accepting);
  context.after(() => listener.close());
  return { listener, accepting };
}

describe("StreamTransport", () => {
  it("hands bytes over in order, both ways, and says where the peer is", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    assert.equal(connection.transport.remoteAddress, `127.0.0.1:${socket.localPort}`);
    socket.write("hello ");
    socket.write("broker");
    await connection.until(() => connection.received.length === 12);
    assert.equal(connection.received.toString(), "hello broker");
    connection.transport.write(Buffer.from("hello client"));
    connection.transport.end();
    assert.equal((await readAll(socket)).toString(), "hello client");
  });

  it("ends with FIN, never RST, while bytes of the peer are unread", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    connection.transport.pause(true);
    // More than fits into the buffers between the two: it waits unread when the connection ends.
    socket.write(Buffer.alloc(8 * 1_048_576, 1));
    socket.write("the end");
    connection.transport.write(Buffer.from("goodbye"));
    connection.transport.end();
    assert.equal((await readAll(socket)).toString(), "goodbye");
    socket.end();
    await once(socket, "close");
    assert.equal(socket.errored, null);
    await connection.until(() => connection.isTransportClosed);
    assert.deepEqual(connection.closes, [], "the broker ended it, so it is not told");
  });

  it("ignores what the peer sends after the end", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    connection.transport.end();
    socket.write("late");
    await readAll(socket);
    socket.end("later");
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.received.length, 0);
  });

  it("destroys the socket when the peer does not close within the grace period", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    context.mock.timers.enable({ apis: ["setTimeout"] });
    connection.transport.end();
    await readAll(socket);
    assert.equal(connection.isTransportClosed, false);
    context.mock.timers.tick(2_000);
    await connection.until(() => connection.isTransportClosed);
  });

  it("tells once that the peer closed, and closes too", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    socket.end("last words");
    await readAll(socket);
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.received.toString(), "last words");
    assert.deepEqual(connection.closes, [undefined]);
  });

  it("tells that the network ended it, without an exception, also for what is written afterwards", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    socket.resetAndDestroy();
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.closes.length, 1);
    assert.match(String(connection.closes[0]), /ECONNRESET/);
    connection.transport.write(Buffer.from("nobody reads this"));
    connection.transport.end();
    connection.transport.destroy();
    connection.transport.pause(true);
    assert.equal(connection.closes.length, 1);
  });

  it("survives a peer that closes while much is written to it", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    connection.transport.write(Buffer.alloc(16 * 1_048_576));
    socket.resetAndDestroy();
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.closes.length, 1);
  });

  it("counts what the system has not taken, and tells when it has taken all", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    connection.transport.write(Buffer.alloc(16 * 1_048_576));
    assert.ok(connection.transport.bufferedBytes > 0);
    assert.equal(connection.drainedCount, 0);
    socket.resume();
    await connection.until(() => connection.drainedCount === 1);
    assert.equal(connection.transport.bufferedBytes, 0);
  });

  it("tells so also when little was left waiting", async () => {
    // A stream that takes one byte now and tells later that it has: less than its high water mark is waiting.
    let release = (): void => {};
    const stream = new Duplex({
      read() {},
      write(_chunk, _encoding, callback) {
        release = callback;
      },
    });
    const transport = new StreamTransport(stream, strangerAt("test"));
    const connection = new NotingConnection(transport);
    transport.start(connection, () => connection.transportClosed());
    transport.write(Buffer.from("x"));
    assert.equal(transport.bufferedBytes, 1);
    release();
    await connection.until(() => connection.drainedCount === 1);
  });

  it("stops and goes on reading", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    socket.write("a");
    await connection.until(() => connection.receivedCount === 1);
    connection.transport.pause(true);
    socket.write("b");
    // Another connection shows that the loop has been round since.
    const other = await connectTcp(context, listener.port);
    other.write("c");
    const second = await accepting.next();
    await second.until(() => second.receivedCount === 1);
    assert.equal(connection.received.toString(), "a");
    connection.transport.pause(false);
    await connection.until(() => connection.received.toString() === "ab");
  });

  it("destroys at once what is to be forgotten", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    connection.transport.destroy();
    await once(
      socket.resume().on("error", () => {}),
      "end",
    ).catch(() => {});
    await connection.until(() => connection.isTransportClosed);
    assert.deepEqual(connection.closes, []);
  });

  it("may be ended before its connection is known", async () => {
    const one = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() });
    const transport = new StreamTransport(one, strangerAt("test"));
    transport.write(Buffer.from("refused"));
    transport.end();
    const connection = new NotingConnection(transport);
    transport.start(connection, () => connection.transportClosed());
    one.push("ignored");
    one.push(null);
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.receivedCount, 0);
    assert.deepEqual(connection.closes, []);
  });
});

describe("listenTcp", () => {
  it("closes what is beyond its number of connections, and takes others when there is room", async (context) => {
    const { listener, accepting } = await listening(context, { connections: 1 });
    const first = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    const second = await connectTcp(context, listener.port);
    await readAll(second).catch(() => {});
    assert.equal(accepting.waitingCount, 0);
    first.end();
    await connection.until(() => connection.isTransportClosed);
    await connectTcp(context, listener.port);
    await accepting.next();
  });

  it("keeps what it accepted when it closes, and accepts nothing more", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    const connection = await accepting.next();
    await listener.close();
    await assert.rejects(connectTcp(context, listener.port), /ECONNREFUSED/);
    socket.write("still here");
    await connection.until(() => connection.received.length === 10);
  });

  it("says in words that a port is taken", async (context) => {
    const { listener } = await listening(context);
    await assert.rejects(listenTcp(settings({ port: listener.port }), new Accepting()), {
      code: "LISTEN_FAILED",
      message: `cannot listen on 127.0.0.1:${listener.port}: another process listens there already`,
    });
  });

  it("says in words that an address is not of this machine", async () => {
    await assert.rejects(listenTcp(settings({ host: "192.0.2.1" }), new Accepting()), {
      code: "LISTEN_FAILED",
      message: "cannot listen on 192.0.2.1:0: this machine does not have that address",
    });
  });
});
