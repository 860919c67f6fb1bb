// Who may connect at all: limits and rates of one address and of all, alone and on real sockets.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type Broker, type BrokerOptions, createBroker } from "heirloom";
import { Admission } from "../dist/admission.js";
import { resolveAdmission, type AdmissionOptions } from "../dist/config/admission-options.js";
import { ServerCounters } from "../dist/counters.js";
import { connectTcp } from "./support.ts";

const CONNECTION_RATE_EXCEEDED = 0x9f;
const QUOTA_EXCEEDED = 0x97;
const BANNED = 0x8a;

/** 3.1.1, a clean session without a name. */
const CONNECT: Uint8Array = Uint8Array.of(0x10, 12, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 0);

class Door {
  readonly counters: ServerCounters = new ServerCounters();
  nowMs = 1_000;
  banned = "";
  readonly admission: Admission;

  constructor(options: AdmissionOptions) {
    this.admission = new Admission({
      limits: resolveAdmission(options),
      counters: this.counters,
      isBanned: (address) => address === this.banned,
      now: () => this.nowMs,
    });
  }

  /** The reason code, 0 when it came in. */
  knock(address: string): number {
    const answer = this.admission.admit(address);
    return "refusal" in answer ? answer.refusal.reasonCode : 0;
  }

  enter(address: string): () => void {
    const answer = this.admission.admit(address);
    assert.ok("ended" in answer);
    return answer.ended;
  }
}

describe("Admission", () => {
  it("lets in so many of one address at a time, and of a network of IPv6 - attack CONN-03", () => {
    const door = new Door({ connectionsPerAddress: 2, connectRatePerAddress: 0 });
    const leave = door.enter("192.0.2.1:1");
    door.enter("192.0.2.1:2");
    assert.equal(door.knock("192.0.2.1:3"), QUOTA_EXCEEDED);
    assert.equal(door.knock("192.0.2.2:1"), 0);
    leave();
    assert.equal(door.knock("192.0.2.1:4"), 0);
    assert.equal(door.knock("[2001:db8::1]:1"), 0);
    assert.equal(door.knock("[2001:db8::ffff:1]:1"), 0);
    assert.equal(door.knock("[2001:db8:0:0:1::1]:1"), QUOTA_EXCEEDED);
    assert.equal(door.counters.connectionsRefusedByAddress, 2);
  });

  it("lets in so many a second of one address, ten seconds' worth at once - attack CONN-03", () => {
    const door = new Door({ connectRatePerAddress: 1 });
    for (let count = 0; count < 10; count++) assert.equal(door.knock("192.0.2.1:1"), 0);
    assert.equal(door.knock("192.0.2.1:1"), CONNECTION_RATE_EXCEEDED);
    assert.equal(door.knock("192.0.2.2:1"), 0);
    // What was refused has cost nothing.
    door.nowMs += 1_000;
    assert.equal(door.knock("192.0.2.1:1"), 0);
    assert.equal(door.knock("192.0.2.1:1"), CONNECTION_RATE_EXCEEDED);
    assert.equal(door.counters.connectionsRefusedByAddressRate, 2);
  });

  it("lets in so many a second in all - attack CONN-03", () => {
    const door = new Door({ connectRate: 1 });
    for (let count = 0; count < 10; count++) assert.equal(door.knock(`192.0.2.${count}:1`), 0);
    assert.equal(door.knock("198.51.100.1:1"), CONNECTION_RATE_EXCEEDED);
    assert.equal(door.counters.connectionsRefusedByRate, 1);
    door.nowMs += 60_000;
    assert.equal(door.knock("198.51.100.1:1"), 0);
  });

  it("lets nobody in from where passwords are guessed - attack AUTHN-06", () => {
    const door = new Door({});
    door.banned = "192.0.2.1:1";
    assert.equal(door.knock("192.0.2.1:1"), BANNED);
    assert.equal(door.knock("192.0.2.2:1"), 0);
    assert.equal(door.counters.connectionsRefusedByBan, 1);
  });

  it("does not count this machine, unless a limit was given in so many words", () => {
    const byDefault = new Door({});
    for (let count = 0; count < 60_000; count++) byDefault.enter("127.0.0.1:1");
    const given = new Door({ connectionsPerAddress: 1 });
    given.enter("127.0.0.1:1");
    assert.equal(given.knock("127.0.0.1:1"), QUOTA_EXCEEDED);
  });

  it("counts 20,000 connections at once of another machine by default, and no more", () => {
    const door = new Door({});
    for (let count = 0; count < 20_000; count++) assert.equal(door.knock("192.0.2.1:1"), 0);
    assert.equal(door.knock("192.0.2.1:1"), CONNECTION_RATE_EXCEEDED);
  });

  it("remembers no more than 20,000 addresses that have left - attack CONN-03", () => {
    const door = new Door({});
    for (let count = 0; count < 30_000; count++) {
      door.enter(`10.${count >> 16}.${(count >> 8) & 0xff}.${count & 0xff}:1`)();
    }
    assert.equal(door.admission.size, 20_000);
  });
});

async function running(context: TestContext, options: BrokerOptions): Promise<Broker> {
  const broker = await createBroker({ store: "memory", ...options });
  context.after(() => broker.stop());
  return broker;
}

/** Resolves when the server has closed it, whatever came before. */
async function untilClosed(socket: Socket): Promise<void> {
  socket.on("error", () => {}).resume();
  if (!socket.closed) await once(socket, "close");
}

describe("Admission on a listener", () => {
  it("closes at once what is too much, and forgets what has closed - attack CONN-03", async (context) => {
    const broker = await running(context, { port: 0, connectionsPerAddress: 2 });
    const port = broker.listeners[0]?.port ?? 0;
    const refusals: string[] = [];
    broker.on("refused", ({ reason }) => refusals.push(reason));
    const first = await connectTcp(context, port);
    await connectTcp(context, port);
    await untilClosed(connect(port, "127.0.0.1"));
    assert.deepEqual(refusals, ["2 connections of this address are open"]);
    assert.equal(broker.counters.connectionsRefusedByAddress, 1);
    first.destroy();
    // The server may learn a moment later that it is gone.
    for (let tries = 0; tries < 1_000; tries++) {
      const socket = connect(port, "127.0.0.1");
      socket.write(CONNECT);
      if ((await firstByte(socket)) === 0x20) return;
    }
    assert.fail("the place that was left was not given away again");
  });

  it("counts the clients behind a proxy, not the proxy - attack CONN-03", async (context) => {
    const proxyProtocol = { trustedSources: ["127.0.0.1"] };
    const broker = await running(context, {
      listeners: [{ host: "127.0.0.1", port: 0, proxyProtocol, connectionsPerAddress: 1 }],
    });
    const port = broker.listeners[0]?.port ?? 0;
    assert.equal(await answerTo(context, port, "203.0.113.1"), 0x20);
    assert.equal(await answerTo(context, port, "203.0.113.1"), undefined);
    assert.equal(await answerTo(context, port, "203.0.113.2"), 0x20);
    assert.equal(broker.counters.connectionsRefusedByAddress, 1);
  });

  it("counts an IPv4 address that a proxy writes as IPv6 as what it is - attack CONN-03", async (context) => {
    const proxyProtocol = { trustedSources: ["127.0.0.1"] };
    const broker = await running(context, {
      listeners: [{ host: "127.0.0.1", port: 0, proxyProtocol, connectionsPerAddress: 1 }],
    });
    const port = broker.listeners[0]?.port ?? 0;
    assert.equal(await answerTo(context, port, "203.0.113.1"), 0x20);
    assert.equal(await answerTo(context, port, "::ffff:203.0.113.1"), undefined);
    assert.equal(await answerTo(context, port, "::ffff:cb00:7101"), undefined);
    assert.equal(await answerTo(context, port, "::ffff:cb00:7102"), 0x20);
    assert.equal(await answerTo(context, port, "203.0.113.2"), undefined);
    assert.equal(broker.counters.connectionsRefusedByAddress, 3);
  });

  it("counts for itself when it has limits of its own", async (context) => {
    const broker = await running(context, {
      connectionsPerAddress: 1,
      listeners: [
        { name: "one", port: 0 },
        { name: "two", port: 0 },
        { name: "own", port: 0, connectionsPerAddress: 1 },
      ],
    });
    const [one = 0, two = 0, own = 0] = broker.listeners.map(({ port }) => port);
    const open = connect(one, "127.0.0.1");
    open.write(CONNECT);
    assert.equal(await firstByte(open), 0x20);
    await untilClosed(connect(two, "127.0.0.1"));
    const socket = connect(own, "127.0.0.1");
    socket.write(CONNECT);
    assert.equal(await firstByte(socket), 0x20);
    open.destroy();
    socket.destroy();
  });
});

/** The first byte that comes, `undefined` when the connection closes without one. */
async function firstByte(socket: Socket): Promise<number | undefined> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.once("data", (chunk: Buffer) => resolve(chunk[0]));
    socket.once("end", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
  });
}

/** The first byte that a client of this address behind a proxy is sent after its CONNECT. */
async function answerTo(context: TestContext, port: number, address: string): Promise<number | undefined> {
  const socket = connect(port, "127.0.0.1");
  context.after(() => socket.destroy());
  const [protocol, own] = address.includes(":") ? ["TCP6", "::1"] : ["TCP4", "127.0.0.1"];
  socket.write(`PROXY ${protocol} ${address} ${own} 40000 1883\r\n`);
  socket.write(CONNECT);
  return firstByte(socket);
}
