// Several authenticators in order, the application's functions and its own hook.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { createPublish } from "@heirloom/codec";
import type { Answer, Authentication } from "heirloom";
import { createTestBroker, type TestBroker, type TestBrokerOptions } from "heirloom/testing";
import { tryLogin, WireClient } from "./wire-client.ts";

async function started(
  context: TestContext,
  authentication: readonly Authentication[],
  more: TestBrokerOptions = {},
): Promise<{ broker: TestBroker; warnings: string[] }> {
  const broker = await createTestBroker({ authentication, ...more });
  context.after(() => broker.stop());
  const warnings: string[] = [];
  broker.on("warning", ({ message }) => void warnings.push(message));
  return { broker, warnings };
}

/** What a program without types may give. */
function hostile(value: unknown): Authentication {
  const answer = { value };
  return () => (answer as { value: Answer }).value;
}

describe("authenticators in order", () => {
  it("decides by the first that knows the client, and asks nobody behind it", async (context) => {
    const asked: string[] = [];
    const answering =
      (name: string, answer: Answer): Authentication =>
      () => {
        asked.push(name);
        return answer;
      };
    const { broker } = await started(context, [
      answering("one", "unknown"),
      answering("two", { account: "a" }),
      answering("three", { reasonCode: 0x87 }),
    ]);
    assert.equal(await tryLogin(broker, { username: "x" }), 0);
    assert.deepEqual(asked, ["one", "two"]);
    const refused = await started(context, [() => ({ reasonCode: 0x87 }), () => ({ account: "a" })]);
    assert.equal(await tryLogin(refused.broker, { username: "x" }), 0x87);
  });

  it("names the account, the user and the claims for hooks and events", async (context) => {
    const claims = new Map([["group", "g"]]);
    const seen: unknown[] = [];
    const { broker } = await started(context, [() => ({ username: "u", account: "a", claims })], {
      hooks: {
        connect: (_connect, client) => void seen.push([client.username, client.account, client.claims]),
      },
    });
    broker.on("connected", ({ client }) => void seen.push([client.username, client.account, client.claims]));
    assert.equal(await tryLogin(broker, { username: "sent" }), 0);
    assert.deepEqual(seen, [
      ["u", "a", claims],
      ["u", "a", claims],
    ]);
  });

  for (const [who, options] of [
    ["an authenticator", { authentication: [() => ({ account: "device" })] }],
    ["a connect hook", { hooks: { connect: () => ({ account: "device" }) } }],
  ] as const satisfies readonly (readonly [string, TestBrokerOptions])[]) {
    it(`gives the user name of CONNECT nothing in rules when ${who} names the account alone - attack AUTHZ-03`, async (context) => {
      const rules = [
        { allow: "all", topics: ["admin"], users: ["admin"] },
        { allow: "all", topics: ["of/%u"] },
      ] as const;
      const broker = await createTestBroker({ ...options, permissions: [{ rules }] });
      context.after(() => broker.stop());
      const client = new WireClient(broker.connect());
      assert.equal(await client.connect({ username: "admin" }), 0);
      const codes: unknown[] = [];
      for (const [index, topicName] of ["admin", "of/admin", "of/device"].entries()) {
        client.send(createPublish({ topicName, qos: 1, packetId: index + 1 }));
        const ack = await client.next();
        codes.push(ack !== "closed" && "reasonCode" in ack && ack.reasonCode);
      }
      assert.deepEqual(codes, [0x87, 0x87, 0x10]);
    });
  }

  it("lets the application's own hook refuse whom the list knows, not the other way round", async (context) => {
    const { broker } = await started(
      context,
      [({ username }) => (username === "known" ? { account: "a" } : "unknown")],
      {
        hooks: { connect: ({ clientId }) => (clientId === "bad" ? { reasonCode: 0x8a } : { username: "b" }) },
      },
    );
    assert.equal(await tryLogin(broker, { username: "known" }), 0);
    assert.equal(await tryLogin(broker, { username: "known", clientId: "bad" }), 0x8a);
    assert.equal(await tryLogin(broker, { username: "other" }), 0x86);
  });

  it("allows anonymous clients at the listeners that say so, and only there - attack AUTHN-08", async (context) => {
    const { broker } = await started(context, [() => "unknown"]);
    assert.equal(await tryLogin(broker, {}), 0x87);
    assert.equal(await tryLogin(broker, {}, { version: 4 }), 5);
    const open = await started(context, [() => "unknown"], { allowAnonymous: true });
    assert.equal(await tryLogin(open.broker, {}), 0);
    assert.equal(await tryLogin(open.broker, { username: "x" }), 0x86);
    assert.equal(await tryLogin(open.broker, { password: "x" }), 0x86);
  });

  it("refuses a name that rules would put into topics as more than a name - attack AUTHZ-01", async (context) => {
    const rule = { allow: "all", topics: ["devices/%u/#"] } as const;
    const { broker } = await started(context, [({ username = "" }) => ({ account: username })], {
      permissions: [{ rules: [rule] }],
    });
    assert.equal(await tryLogin(broker, { username: "alice" }), 0);
    for (const username of ["+", "#", "a/b", "a#"])
      assert.equal(await tryLogin(broker, { username }), 0x87, username);
  });

  it("ends the connection when what a function said has expired - attack AUTHN-10", async (context) => {
    const { broker } = await started(context, [() => ({ account: "a", validForMs: 2_000 })]);
    const client = new WireClient(broker.connect());
    assert.equal(await client.connect({ username: "x" }), 0);
    await broker.advance("2s");
    assert.equal(await client.disconnected(), 0x87);
  });
});

describe("a function that does not work", () => {
  for (const [what, authenticate] of [
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
    ["gives nothing", hostile(undefined)],
    ["gives null", hostile(null)],
    ["gives true", hostile(true)],
    ["gives another text", hostile("ok")],
    ["gives a promise of nothing", hostile(Promise.resolve())],
    ["refuses with a code of success", hostile({ reasonCode: 0 })],
    ["refuses with no code", hostile({ reasonCode: undefined })],
  ] as const satisfies readonly (readonly [string, Authentication])[]) {
    it(`lets nobody in when it ${what}, and the broker goes on - attack JS-02`, async (context) => {
      const { broker, warnings } = await started(context, [authenticate, () => ({ account: "a" })]);
      for (let count = 0; count < 3; count++) {
        assert.equal(await tryLogin(broker, { username: "x", password: "canary" }), 0x88);
      }
      assert.equal(broker.counters.authenticationErrors, 3);
      assert.equal(warnings.length, 1, "one warning in ten seconds");
      assert.match(warnings[0] ?? "", /^authentication\[0\]: /);
      assert.doesNotMatch(warnings[0] ?? "", /canary/);
    });
  }

  it("lets nobody in when it never answers - attack JS-02", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    let onAsked: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => (onAsked = resolve));
    const never = new Promise<Answer>(() => {});
    const { broker } = await started(context, [
      () => {
        onAsked?.();
        return never;
      },
    ]);
    const answer = tryLogin(broker, { username: "x" });
    await asked;
    context.mock.timers.tick(15_000);
    assert.equal(await answer, 0x88);
  });

  it("lets nobody in when the application's own hook throws - attack JS-02", async (context) => {
    const { broker } = await started(context, [() => ({ account: "a" })], {
      hooks: { connect: () => Promise.reject(new Error("broken")) },
    });
    assert.equal(await tryLogin(broker, { username: "x" }), 0x80);
  });
});
