// TLS on real sockets: who gets in, what is refused, and what happens when files change.

import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Limits } from "@heirloom/core";
import type { ListenerOptions, TlsOptions } from "heirloom";
import { WebSocket } from "ws";
import type { Finding } from "../dist/config/findings.js";
import { resolveSettings } from "../dist/config/settings.js";
import { listenTcp } from "../dist/transports/tcp.js";
import type { OpenListener } from "../dist/transports/transport.js";
import { listenWebSocket } from "../dist/transports/websocket.js";
import { certificateFile, clientPair, serverPair } from "./certificates.ts";
import { Accepting, connectTcp, newDirectory, readAll, type NotingConnection } from "./support.ts";
import { Tls13Client } from "./tls13-client.ts";

const SERVER = serverPair("server");
const MUTUAL: TlsOptions = { ...SERVER, ca: certificateFile("ca.pem"), clientCertificate: "required" };

interface Listening {
  readonly listener: OpenListener;
  readonly accepting: Accepting;
}

async function listening(
  context: TestContext,
  tls: TlsOptions,
  options: ListenerOptions & Partial<Pick<Limits, "connectTimeoutMs" | "pendingConnections">> = {},
): Promise<Listening> {
  const { connectTimeoutMs = 10_000, pendingConnections = 1_000, ...rest } = options;
  const accepting = new Accepting();
  const listeners = [{ port: 0, host: "127.0.0.1", tls, ...rest }];
  const [settings] = resolveSettings(
    { listeners, limits: { connectTimeoutMs, pendingConnections } },
    false,
    [],
  ).listeners;
  assert.ok(settings !== undefined);
  const listen = settings.transport === "tcp" ? listenTcp : listenWebSocket;
  const listener = await listen(settings, accepting);
  context.after(() => listener.close());
  return { listener, accepting };
}

/** A client's socket, its handshake not awaited. */
async function client(
  context: TestContext,
  { port }: { readonly port: number },
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const ca = await readFile(certificateFile("ca.pem"));
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca, ...options });
  context.after(() => socket.destroy());
  return socket;
}

/** A client whose handshake is done, with the broker's end of its connection. */
async function connected(
  context: TestContext,
  { listener, accepting }: Listening,
  options: ConnectionOptions = {},
): Promise<{ socket: TLSSocket; connection: NotingConnection }> {
  const socket = await client(context, listener, options);
  await once(socket, "secureConnect");
  return { socket, connection: await accepting.next() };
}

/** Begins a handshake, which takes its place, and leaves it there. */
async function stall(context: TestContext, { listener }: Listening): Promise<Socket> {
  const socket = await connectTcp(context, listener.port);
  // The beginning of a ClientHello.
  await new Promise((resolve) => socket.write(Buffer.from("160301", "hex"), resolve));
  return socket;
}

/** Makes the broker look at its connections over TLS when the test says so, which it does at times of its own. */
function looks(context: TestContext): () => void {
  const all: (() => void)[] = [];
  // Timers of `context.mock` fire in the first test of a file only, with Node 20.
  const { setInterval } = globalThis;
  context.mock.method(globalThis, "setInterval", (look: () => void, everyMs: number) => {
    all.push(look);
    return setInterval(look, everyMs);
  });
  return () => {
    assert.ok(all.length > 0);
    for (const look of all) look();
  };
}

/** Connects, and waits until the listener says why not. */
async function refusal(
  context: TestContext,
  { listener, accepting }: Listening,
  options: ConnectionOptions = {},
): Promise<string> {
  const before = accepting.refusals.length;
  const socket = await client(context, listener, options);
  socket.on("error", () => {}).resume();
  const reasons = await accepting.untilRefused(before + 1);
  assert.equal(accepting.waitingCount, 0);
  return reasons[before] ?? "";
}

describe("a listener with TLS", () => {
  it("carries bytes both ways, and says where the peer is", async (context) => {
    const listening1 = await listening(context, SERVER);
    assert.match(listening1.listener.url, /^mqtts:\/\/127\.0\.0\.1:\d+$/);
    const { socket, connection } = await connected(context, listening1);
    assert.equal(connection.transport.remoteAddress, `127.0.0.1:${socket.localPort}`);
    assert.equal(connection.transport.certificate, undefined);
    socket.write("hello");
    await connection.until(() => connection.received.length === 5);
    connection.transport.write(Buffer.alloc(100_000, 7));
    connection.transport.end();
    assert.equal((await readAll(socket)).length, 100_000);
  });

  it("carries WebSockets", async (context) => {
    const { listener, accepting } = await listening(context, SERVER, {
      transport: "websocket",
      path: "/mqtt",
    });
    assert.match(listener.url, /^wss:.*\/mqtt$/);
    const ca = await readFile(certificateFile("ca.pem"));
    const socket = new WebSocket(listener.url, "mqtt", { ca });
    context.after(() => socket.terminate());
    await once(socket, "open");
    const connection = await accepting.next();
    socket.send(Buffer.from("hello"));
    await connection.until(() => connection.received.toString() === "hello");
  });

  it("speaks TLS 1.2 and 1.3 and nothing older, and 1.3 only when told so - attack TLS-03", async (context) => {
    const both = await listening(context, SERVER);
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const { socket } = await connected(context, both, { minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
    }
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const;
    assert.match(await refusal(context, both, old), /UNSUPPORTED_PROTOCOL/);
    const newest = await listening(context, { ...SERVER, minimumVersion: "1.3" });
    const { socket } = await connected(context, newest);
    assert.equal(socket.getProtocol(), "TLSv1.3");
    assert.match(await refusal(context, newest, { maxVersion: "TLSv1.2" }), /UNSUPPORTED_PROTOCOL/);
  });

  it("has no common cipher with clients that only know weak ones - attack TLS-03", async (context) => {
    const tls = await listening(context, SERVER);
    for (const ciphers of ["NULL", "aNULL", "ECDHE-ECDSA-AES128-SHA", "AES128-SHA"]) {
      const options = { ciphers: `${ciphers}:@SECLEVEL=0`, maxVersion: "TLSv1.2" } as const;
      assert.match(await refusal(context, tls, options), /NO_SHARED_CIPHER/, ciphers);
    }
    const old = await listening(context, { ...SERVER, ciphers: "ECDHE-ECDSA-AES128-SHA" });
    const { socket } = await connected(context, old, { maxVersion: "TLSv1.2" });
    assert.equal(socket.getCipher().name, "ECDHE-ECDSA-AES128-SHA");
  });

  it("does not renegotiate - attack TLS-02", async (context) => {
    const { socket, connection } = await connected(context, await listening(context, SERVER), {
      maxVersion: "TLSv1.2",
    });
    socket.write("before");
    await connection.until(() => connection.received.length === 6);
    socket.renegotiate({}, () => {});
    const [error] = await once(socket, "error");
    assert.match(String(error), /no renegotiation/);
    await connection.until(() => connection.isTransportClosed);
  });

  it("ends a connection that sends next to nothing but KeyUpdate - attack TLS-02", async (context) => {
    const look = looks(context);
    const tls = await listening(context, SERVER);
    const other = await connected(context, tls);
    const flooding = await Tls13Client.connect(context, tls.listener.port);
    const connection = await tls.accepting.next();
    flooding.updateKeys(3_000);
    // It is read, so all before it was.
    flooding.send("x");
    await connection.until(() => connection.received.length === 1);
    assert.equal(tls.accepting.floodedCount, 0);
    look();
    assert.equal(tls.accepting.floodedCount, 1);
    await connection.until(() => connection.isTransportClosed);
    assert.match(String(connection.closes[0]), /TLS: 8\d{4} bytes of records had 1 bytes of data in them/);
    await flooding.untilClosed();
    other.socket.write("served");
    await other.connection.until(() => other.connection.received.length === 6);
  });

  it("lets clients change their keys now and then, and send much or little - attack TLS-02", async (context) => {
    const look = looks(context);
    const tls = await listening(context, SERVER);
    const client13 = await Tls13Client.connect(context, tls.listener.port);
    const connection = await tls.accepting.next();
    let expected = 0;
    const sendAndLook = async (text: string): Promise<void> => {
      for (const byte of text) client13.send(byte);
      expected += text.length;
      await connection.until(() => connection.received.length === expected);
      look();
    };
    for (let count = 0; count < 3; count++) {
      client13.updateKeys(2_000);
      await sendAndLook("x");
    }
    // Byte by byte: 92,000 bytes of records.
    await sendAndLook("y".repeat(4_000));
    await sendAndLook("");
    assert.equal(tls.accepting.floodedCount, 0);
    client13.send("still here");
    await connection.until(() => connection.received.length === expected + 10);
  });

  it("ends a WebSocket that sends next to nothing but KeyUpdate, and says why - attack TLS-02", async (context) => {
    const look = looks(context);
    const tls = await listening(context, SERVER, { transport: "websocket" });
    const upgrade = [
      "GET / HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      "Sec-WebSocket-Protocol: mqtt",
    ];
    const flooding = await Tls13Client.connect(context, tls.listener.port);
    flooding.send(`${upgrade.join("\r\n")}\r\n\r\n`);
    const connection = await tls.accepting.next();
    flooding.updateKeys(4_000);
    // A binary frame with one byte, masked with zeros.
    flooding.send("\x82\x81\0\0\0\0x");
    await connection.until(() => connection.received.length === 1);
    look();
    assert.equal(tls.accepting.floodedCount, 1);
    await connection.until(() => connection.isTransportClosed);
    assert.match(String(connection.closes[0]), /TLS: \d+ bytes of records had \d{3} bytes of data in them/);
  });

  it("takes ALPN mqtt or none, and refuses clients that only offer others - attack TLS-07", async (context) => {
    const tcp = await listening(context, SERVER);
    const named = await connected(context, tcp, { ALPNProtocols: ["x-other", "mqtt"] });
    assert.equal(named.socket.alpnProtocol, "mqtt");
    const silent = await connected(context, tcp);
    assert.equal(silent.socket.alpnProtocol, false);
    assert.match(await refusal(context, tcp, { ALPNProtocols: ["h2", "x\u0000\n"] }), /^TLS: /);
    const webSocket = await listening(context, SERVER, { transport: "websocket" });
    const offering = await client(context, webSocket.listener, { ALPNProtocols: ["http/1.1"] });
    await once(offering, "secureConnect");
    assert.equal(offering.alpnProtocol, "http/1.1");
  });

  it("shows the certificate of the name that is asked for, otherwise its own - attack TLS-07", async (context) => {
    const tls = await listening(context, {
      ...SERVER,
      serverNames: [
        { name: "Named.example", ...serverPair("server-named") },
        { name: "*.wild.example", ...serverPair("server-wildcard") },
      ],
    });
    for (const [servername, shown] of [
      ["named.example", "named.example"],
      ["NAMED.EXAMPLE", "named.example"],
      ["a.wild.example", "*.wild.example"],
      ["a.b.wild.example", "localhost"],
      ["wild.example", "localhost"],
      ["unknown.example", "localhost"],
      ["un\u0001known\n.example", "localhost"],
      ["__proto__", "localhost"],
    ] as const) {
      const options = { servername, checkServerIdentity: () => undefined };
      const { socket } = await connected(context, tls, options);
      assert.equal(socket.getPeerCertificate().subject.CN, shown, servername);
    }
  });
});

describe("client certificates", () => {
  it("are told to the broker with all their names", async (context) => {
    const { connection } = await connected(context, await listening(context, MUTUAL), clientPair("client"));
    const { certificate } = connection.transport;
    assert.ok(certificate !== undefined);
    assert.deepEqual(certificate.commonNames, ["thermometer"]);
    assert.deepEqual(certificate.dnsNames, ["t1.example"]);
    assert.deepEqual(certificate.emailAddresses, ["t1@example.org"]);
    assert.deepEqual(certificate.uris, ["urn:device:t1"]);
    assert.match(certificate.fingerprint256, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.ok(certificate.validToMs > Date.UTC(2100, 0, 1));
  });

  for (const transport of ["tcp", "websocket"] as const) {
    for (const [name, reason] of [
      ["client-expired", /CERT_HAS_EXPIRED/],
      ["client-revoked", /CERT_REVOKED/],
      ["client-for-servers", /INVALID_PURPOSE/],
      ["client-of-others", /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/],
      ["client-nul", /control characters/],
    ] as const) {
      it(`refuses ${name} over ${transport} - attack AUTHN-13`, async (context) => {
        const tls = { ...MUTUAL, crl: certificateFile("crl.pem") };
        const mutual = await listening(context, tls, { transport });
        assert.match(await refusal(context, mutual, clientPair(name)), reason);
      });
    }

    it(`requires a certificate over ${transport} - attack AUTHN-13`, async (context) => {
      assert.match(await refusal(context, await listening(context, MUTUAL, { transport })), /none was shown/);
    });
  }

  it("may be missing where they are optional, but not be bad - attack AUTHN-13", async (context) => {
    const mutual = await listening(context, { ...MUTUAL, clientCertificate: "optional" });
    const { connection } = await connected(context, mutual);
    assert.equal(connection.transport.certificate, undefined);
    assert.match(await refusal(context, mutual, clientPair("client-expired")), /CERT_HAS_EXPIRED/);
    const good = await connected(context, mutual, clientPair("client-two-names"));
    assert.deepEqual(good.connection.transport.certificate?.commonNames, ["first", "second"]);
  });

  it("are checked for server names too", async (context) => {
    const serverNames = [{ name: "named.example", ...serverPair("server-named") }];
    const mutual = await listening(context, { ...MUTUAL, serverNames });
    const options = { servername: "named.example" };
    const { connection } = await connected(context, mutual, { ...options, ...clientPair("client-utf8") });
    assert.deepEqual(connection.transport.certificate?.commonNames, ["Fühler"]);
    assert.match(
      await refusal(context, mutual, { ...options, ...clientPair("client-of-others") }),
      /^client/,
    );
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`are shown on each connection: no session is resumed in ${version} - attack AUTHN-13`, async (context) => {
      const mutual = await listening(context, MUTUAL);
      const options = { ...clientPair("client"), minVersion: version, maxVersion: version } as const;
      const first = await connected(context, mutual, options);
      const sessions: Buffer[] = [];
      first.socket.on("session", (session) => sessions.push(session));
      first.connection.transport.write(Buffer.from("x"));
      await once(first.socket, "data");
      const session = first.socket.getSession() ?? sessions[0];
      const second = await connected(context, mutual, {
        ...options,
        ...(session === undefined ? {} : { session }),
      });
      assert.equal(second.socket.isSessionReused(), false);
      assert.deepEqual(second.connection.transport.certificate?.commonNames, ["thermometer"]);
    });
  }
});

describe("reading certificates anew", () => {
  /** A listener whose files can be written. */
  async function reloading(
    context: TestContext,
  ): Promise<Listening & { put: (from: string, to: string) => Promise<void>; reload: () => Promise<void> }> {
    const directory = await newDirectory(context);
    const put = (from: string, to: string): Promise<void> =>
      copyFile(certificateFile(from), join(directory, to));
    await put("server.pem", "cert.pem");
    await put("server.key", "cert.key");
    await put("ca.pem", "ca.pem");
    await put("crl-empty.pem", "crl.pem");
    const file = (name: string): string => join(directory, name);
    const all = await listening(context, {
      certificate: file("cert.pem"),
      key: file("cert.key"),
      ca: file("ca.pem"),
      crl: file("crl.pem"),
      clientCertificate: "optional",
    });
    const reload = async (): Promise<void> => {
      const change = await all.listener.reloadable?.prepare();
      change?.();
    };
    return { ...all, put, reload };
  }

  const fingerprint = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256;

  it("shows the new certificate to new connections, and keeps the others - attack TLS-05", async (context) => {
    const all = await reloading(context);
    const before = await connected(context, all);
    await all.put("server-new.pem", "cert.pem");
    await all.put("server-new.key", "cert.key");
    await all.reload();
    const after = await connected(context, all);
    assert.notEqual(fingerprint(after.socket), fingerprint(before.socket));
    before.socket.write("still here");
    await before.connection.until(() => before.connection.received.length === 10);
  });

  it("enforces a new revocation list on new handshakes - attack AUTHN-13", async (context) => {
    const all = await reloading(context);
    await connected(context, all, clientPair("client-revoked"));
    await all.put("crl.pem", "crl.pem");
    await all.reload();
    assert.match(await refusal(context, all, clientPair("client-revoked")), /CERT_REVOKED/);
    await connected(context, all, clientPair("client"));
  });

  for (const [name, file, from, message] of [
    ["no certificate", "cert.pem", "make.sh", /tls\.certificate: .*cert\.pem has nothing in it/],
    ["the key of another certificate", "cert.key", "server-new.key", /tls\.key: .*is not the private key/],
    ["a broken key", "cert.key", "server.pem", /tls\.key: .*cannot be read as a private key/],
    ["an empty list of authorities", "ca.pem", "passphrase.key", /tls\.ca: .*has nothing in it/],
    ["an empty revocation list", "crl.pem", "passphrase.key", /tls\.crl: .*has nothing in it/],
  ] as const) {
    it(`keeps what it has when there is ${name} - attack TLS-05`, async (context) => {
      const all = await reloading(context);
      const before = await connected(context, all);
      await all.put(from, file);
      await assert.rejects(all.reload(), { code: "CONFIG_INVALID", message });
      const after = await connected(context, all);
      assert.equal(fingerprint(after.socket), fingerprint(before.socket));
      assert.match(await refusal(context, all, clientPair("client-of-others")), /^client certificate/);
    });
  }
});

describe("the files of TLS", () => {
  for (const [name, tls, message] of [
    [
      "a file that is not there",
      { certificate: "/nowhere.pem", key: "/nowhere.key" },
      /tls\.certificate: .*ENOENT/,
    ],
    [
      "an encrypted key without passphrase",
      { ...SERVER, key: certificateFile("server-encrypted.key") },
      /tls\.key: .*cannot be read as a private key/,
    ],
    ["ciphers that do not exist", { ...SERVER, ciphers: "NO-SUCH-CIPHER" }, /tls: cannot be used/],
    [
      "a server name that is none",
      { ...SERVER, serverNames: [{ name: "a b", ...SERVER }] },
      /serverNames\[0\]\.name: seen "a b"/,
    ],
  ] as const) {
    it(`say what is wrong with ${name}`, async (context) => {
      await assert.rejects(listening(context, tls), { code: "CONFIG_INVALID", message });
    });
  }

  it("may be contents, and have a passphrase", async (context) => {
    const tls = {
      certificate: await readFile(SERVER.certificate, "utf8"),
      key: await readFile(certificateFile("server-encrypted.key")),
      keyPassphraseFile: certificateFile("passphrase.key"),
    };
    await connected(context, await listening(context, tls));
  });

  it("get a warning when everybody can read the key - attack TLS-06", async (context) => {
    const directory = await newDirectory(context);
    const key = join(directory, "server.key");
    const contents = await readFile(SERVER.key);
    for (const [mode, warnings] of [
      [0o644, 1],
      [0o604, 1],
      [0o640, 0],
      [0o600, 0],
      [0o400, 0],
    ] as const) {
      const file = `${key}.${mode}`;
      await writeFile(file, contents, { mode });
      const { accepting } = await listening(context, { ...SERVER, key: file });
      assert.equal(accepting.warnings.length, warnings, mode.toString(8));
      if (warnings > 0) assert.match(accepting.warnings[0] ?? "", /everybody on this machine can read/);
    }
  });

  it("have to name authorities where certificates are asked for - attack TLS-04", () => {
    for (const clientCertificate of ["optional", "required"] as const) {
      const findings: Finding[] = [];
      resolveSettings({ listeners: [{ tls: { ...SERVER, clientCertificate } }] }, false, findings);
      assert.match(findings[0]?.message ?? "", /expected the authorities/);
    }
  });
});

describe("handshakes", () => {
  it("that are never finished end at the deadline, and the others wait for their turn - attack TLS-01", async (context) => {
    const tls = await listening(context, { ...SERVER, handshakes: 3 }, { connectTimeoutMs: 400 });
    const stalled = await Promise.all([1, 2, 3].map(() => stall(context, tls)));
    const last = await client(context, tls.listener);
    const closed = stalled.map((socket) => readAll(socket));
    // Its turn comes when the stalled ones are ended, and its own time is over at nearly the same moment: either is right.
    last.on("error", () => {});
    const reasons = await tls.accepting.untilRefused(3);
    assert.deepEqual(
      reasons.slice(0, 3),
      [1, 2, 3].map(() => "no complete CONNECT within the time allowed"),
    );
    await Promise.all(closed);
    await connected(context, tls);
  });

  it("begin in the order in which connections came when there is room again - attack TLS-01", async (context) => {
    const tls = await listening(context, { ...SERVER, handshakes: 1 });
    const stalled = await stall(context, tls);
    const waiting = await client(context, tls.listener);
    const secured = once(waiting, "secureConnect");
    stalled.destroy();
    await secured;
    await tls.accepting.next();
  });

  it("take no place before their first byte - attack TLS-01", async (context) => {
    const tls = await listening(context, { ...SERVER, handshakes: 1 });
    await connectTcp(context, tls.listener.port);
    await connectTcp(context, tls.listener.port);
    await connected(context, tls);
    assert.deepEqual(tls.accepting.refusals, []);
  });

  it("that do not begin end at the deadline all the same - attack TLS-01", async (context) => {
    const tls = await listening(context, SERVER, { connectTimeoutMs: 100 });
    await readAll(await connectTcp(context, tls.listener.port));
    assert.deepEqual(tls.accepting.refusals, ["no complete CONNECT within the time allowed"]);
  });

  it("that do not begin count among those on their way in, and end with their peer - attack TLS-01", async (context) => {
    const tls = await listening(context, { ...SERVER, handshakes: 1 }, { pendingConnections: 1 });
    const closed = readAll(await connectTcp(context, tls.listener.port));
    const second = await connectTcp(context, tls.listener.port);
    await closed;
    assert.equal(tls.accepting.droppedCount, 1);
    second.end();
    assert.deepEqual(await tls.accepting.untilRefused(2), [
      "too many connections are on their way in",
      "closed by the peer before CONNECT",
    ]);
  });

  it("that were begun and stall give way while others wait, the oldest first - attack TLS-01", async (context) => {
    const tls = await listening(context, { ...SERVER, handshakes: 2 }, { connectTimeoutMs: 60_000 });
    const first = await stall(context, tls);
    const second = await stall(context, tls);
    const closed = readAll(first);
    await connected(context, tls);
    await closed;
    assert.equal(tls.accepting.droppedCount, 1);
    assert.match(
      tls.accepting.refusals.join(),
      /^TLS: a handshake that does not come to an end while others wait$/,
    );
    assert.equal(second.destroyed, false);
  });

  it("count for the deadline of CONNECT - attack CONN-01", async (context) => {
    const { connection } = await connected(context, await listening(context, SERVER));
    assert.ok((connection.transport.elapsedMs ?? 0) > 0);
  });
});
