// What comes before MQTT on a listener: the PROXY protocol, Unix sockets, deadlines, and bytes that mean nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import type { ListenerOptions } from "heirloom";
import { WebSocket } from "ws";
import { resolveSettings } from "../dist/config/settings.js";
import { listenTcp } from "../dist/transports/tcp.js";
import type { OpenListener } from "../dist/transports/transport.js";
import { listenWebSocket } from "../dist/transports/websocket.js";
import { serverPair } from "./certificates.ts";
import { Accepting, connectTcp, newDirectory, readAll } from "./support.ts";

const TLS = serverPair("server");
const TRUSTED = { trustedSources: ["127.0.0.0/8"] };
const HEADER = "PROXY TCP4 203.0.113.9 192.0.2.1 51236 1883\r\n";

async function listening(
  context: TestContext,
  options: ListenerOptions,
  connectTimeoutMs: number = 10_000,
): Promise<{ listener: OpenListener; accepting: Accepting }> {
  const accepting = new Accepting();
  const address = options.socket === undefined ? { port: 0, host: "127.0.0.1" } : {};
  const listeners = [{ ...address, ...options }];
  const [settings] = resolveSettings({ listeners, limits: { connectTimeoutMs } }, false, []).listeners;
  assert.ok(settings !== undefined);
  const listen = settings.transport === "tcp" ? listenTcp : listenWebSocket;
  const listener = await listen(settings, accepting);
  context.after(() => listener.close());
  return { listener, accepting };
}

describe("a listener with proxyProtocol", () => {
  it("takes the address from the header, and leaves what is behind it", async (context) => {
    const { listener, accepting } = await listening(context, { proxyProtocol: TRUSTED });
    const socket = await connectTcp(context, listener.port);
    socket.write(`${HEADER}hello`);
    const connection = await accepting.next();
    assert.equal(connection.transport.remoteAddress, "203.0.113.9:51236");
    socket.write(" broker");
    await connection.until(() => connection.received.toString() === "hello broker");
  });

  it("takes a header in single bytes, before TLS", async (context) => {
    const { listener, accepting } = await listening(context, { proxyProtocol: TRUSTED, tls: TLS });
    const raw = await connectTcp(context, listener.port);
    raw.setNoDelay(true);
    for (const byte of Buffer.from(HEADER)) {
      await new Promise((resolve) => raw.write(Buffer.of(byte), resolve));
    }
    const socket = connectTls({ socket: raw, rejectUnauthorized: false });
    context.after(() => socket.destroy());
    await once(socket, "secureConnect");
    const connection = await accepting.next();
    assert.equal(connection.transport.remoteAddress, "203.0.113.9:51236");
    socket.write("hello");
    await connection.until(() => connection.received.toString() === "hello");
  });

  it("takes a header and what follows in one segment, before WebSocket", async (context) => {
    const { listener, accepting } = await listening(context, {
      proxyProtocol: TRUSTED,
      transport: "websocket",
    });
    const socket = await connectTcp(context, listener.port);
    socket.write(
      `${HEADER}GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
    const connection = await accepting.next();
    assert.equal(connection.transport.remoteAddress, "203.0.113.9:51236");
  });

  it("closes connections that are not from the proxies - attack PROXY-01", async (context) => {
    const proxyProtocol = { trustedSources: ["10.0.0.0/8", "::1"] };
    const { listener, accepting } = await listening(context, { proxyProtocol });
    const socket = await connectTcp(context, listener.port);
    socket.on("error", () => {});
    socket.write(HEADER);
    assert.match((await accepting.untilRefused(1))[0] ?? "", /not one of the proxies/);
    assert.equal(accepting.waitingCount, 0);
  });

  for (const [name, bytes] of [
    ["MQTT without a header", "101000044d515454"],
    ["TLS without a header", "16030102000100"],
    ["a header that is broken", "0d0a0d0a000d0a515549540a2112000c"],
  ] as const) {
    it(`closes ${name} - attack PROXY-01`, async (context) => {
      const { listener, accepting } = await listening(context, { proxyProtocol: TRUSTED });
      const socket = await connectTcp(context, listener.port);
      socket.write(Buffer.from(bytes, "hex"));
      assert.match((await accepting.untilRefused(1))[0] ?? "", /^PROXY protocol: /);
      assert.equal((await readAll(socket)).length, 0);
      assert.equal(accepting.waitingCount, 0);
    });
  }

  it("does not wait for ever for a header - attack PROXY-02", async (context) => {
    const { listener, accepting } = await listening(context, { proxyProtocol: TRUSTED }, 100);
    const socket = await connectTcp(context, listener.port);
    socket.write("PROXY TCP4 ");
    await readAll(socket);
    assert.match(accepting.refusals[0] ?? "", /no complete CONNECT/);
  });
});

describe("a listener on a Unix socket", () => {
  /** A client's end, connected. */
  async function connectPath(context: TestContext, path: string): Promise<Socket> {
    const socket = connect({ path });
    context.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  }

  it("carries bytes, has the mode that was asked for, and is gone afterwards", async (context) => {
    const path = join(await newDirectory(context), "mqtt.sock");
    const { listener, accepting } = await listening(context, { socket: path, socketMode: "0606" });
    assert.equal(listener.url, `mqtt+unix://${path}`);
    assert.equal((await stat(path)).mode & 0o777, 0o606);
    const socket = await connectPath(context, path);
    const connection = await accepting.next();
    assert.equal(connection.transport.remoteAddress, `unix:${path}`);
    socket.write("hello");
    await connection.until(() => connection.received.toString() === "hello");
    await listener.close();
    await assert.rejects(stat(path), { code: "ENOENT" });
  });

  it("is for its owner and group unless told otherwise, and carries WebSockets", async (context) => {
    const path = join(await newDirectory(context), "ws.sock");
    const { listener, accepting } = await listening(context, { socket: path, transport: "websocket" });
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    const socket = new WebSocket(`${listener.url}:/mqtt`, "mqtt");
    context.after(() => socket.terminate());
    await once(socket, "open");
    await accepting.next();
  });

  it("replaces a socket that a process left behind, but none on which somebody listens", async (context) => {
    const path = join(await newDirectory(context), "mqtt.sock");
    const first = await listening(context, { socket: path });
    await assert.rejects(listening(context, { socket: path }), {
      code: "LISTEN_FAILED",
      message: `cannot listen on ${path}: another process listens there already`,
    });
    await connectPath(context, path);
    await first.accepting.next();
    await first.listener.close();
    // A socket whose process ended without removing it.
    const { spawnSync } = await import("node:child_process");
    const leave = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", leave]);
    assert.ok((await stat(path)).isSocket());
    await listening(context, { socket: path });
    await connectPath(context, path);
  });

  it("does not touch a file that is no socket", async (context) => {
    const path = join(await newDirectory(context), "file");
    await writeFile(path, "mine");
    await chmod(path, 0o600);
    await assert.rejects(listening(context, { socket: path }), /a file that is no socket is there/);
    assert.equal((await stat(path)).size, 4);
  });
});

describe("bytes that mean nothing", () => {
  const KINDS: readonly (readonly [string, ListenerOptions])[] = [
    ["TLS", { tls: TLS }],
    ["WebSocket", { transport: "websocket" }],
    ["WebSocket over TLS", { transport: "websocket", tls: TLS }],
    ["the PROXY protocol", { proxyProtocol: TRUSTED }],
    ["the PROXY protocol and TLS", { proxyProtocol: TRUSTED, tls: TLS }],
  ];
  const HOSTILE = [
    Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    Buffer.from("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", "latin1"),
    Buffer.from("101000044d5154540402003c000461626364", "hex"),
    Buffer.from(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    ),
    Buffer.from(HEADER),
    Buffer.alloc(100_000, 0xff),
    Buffer.alloc(0),
  ];

  for (const [name, options] of KINDS) {
    it(`end their connection and nothing else on a listener with ${name} - attack CONN-05, CONN-07, WS-06`, async (context) => {
      const { listener, accepting } = await listening(context, options, 300);
      let sent = 0;
      for (const bytes of HOSTILE) {
        for (const end of ["fin", "reset", "stall"] as const) {
          const socket = await connectTcp(context, listener.port);
          socket.on("error", () => {}).resume();
          sent++;
          await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
          if (end === "fin") socket.end();
          if (end === "reset") socket.resetAndDestroy();
        }
      }
      // A header alone is good for a plain listener behind a proxy; all others are refused, at the latest by the deadline.
      const entered = options.proxyProtocol !== undefined && options.tls === undefined ? 2 : 0;
      await accepting.untilRefused(sent - entered - 1);
      assert.ok(accepting.waitingCount <= 3);
    });
  }

  it("over TLS are ended by the deadline, one byte after the other - attack CONN-01, CONN-06", async (context) => {
    const { listener, accepting } = await listening(context, { tls: TLS, transport: "websocket" }, 300);
    const socket = connectTls({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false });
    context.after(() => socket.destroy());
    socket.on("error", () => {}).resume();
    await once(socket, "secureConnect");
    const drip = setInterval(() => socket.write("G"), 20);
    context.after(() => clearInterval(drip));
    await accepting.untilRefused(1);
    assert.equal(accepting.waitingCount, 0);
  });

  it("do not keep a listener from closing", async (context) => {
    const { listener, accepting } = await listening(context, { tls: TLS });
    const socket = await connectTcp(context, listener.port);
    const ended = readAll(socket);
    // Accepted, when a later connection has been told of.
    const later = await connectTcp(context, listener.port);
    later.resetAndDestroy();
    await accepting.untilRefused(1);
    await listener.close();
    await ended;
    const free = createServer();
    free.listen(listener.port, "127.0.0.1");
    await once(free, "listening");
    free.close();
  });
});
