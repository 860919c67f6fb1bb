// Sources of permissions other than rules, and several of them in order.

import assert from "node:assert/strict";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPublish, PacketType } from "@heirloom/codec";
import type { Access } from "@heirloom/core";
import { ConfigError, createBroker, type PermissionAnswer, type PermissionCheck } from "heirloom";
import { createTestBroker, type TestBroker, type TestBrokerOptions } from "heirloom/testing";
import { PermissionChain } from "../dist/permissions/chain.js";
import { CheckSource } from "../dist/permissions/check.js";
import { ClaimsSource } from "../dist/permissions/claims.js";
import { openPermissions } from "../dist/permissions/open.js";
import type { Source } from "../dist/permissions/verdict.js";
import { ruleSet, someone } from "./permissions-support.js";
import { newDirectory } from "./support.js";
import { WireClient } from "./wire-client.js";

const REFUSED = { reasonCode: 0x87, reasonString: "not authorized" };

async function connected(broker: TestBroker): Promise<WireClient> {
  const client = new WireClient(broker.connect());
  assert.equal(await client.connect(), 0);
  return client;
}

/** The reason code of PUBACK. */
async function publishAnswer(client: WireClient, topicName: string): Promise<number> {
  client.send(createPublish({ topicName, qos: 1, packetId: 1 }));
  const answer = await client.next();
  assert.ok(answer !== "closed" && answer.type === PacketType.PUBACK);
  return answer.reasonCode;
}

function chain(...sources: readonly Source[]): Promise<PermissionChain> {
  return PermissionChain.open(() => Promise.resolve(sources));
}

async function accessTo(source: Source, client = someone({ username: "u" })): Promise<Access> {
  return (await chain(source)).accessOf(client);
}

describe("several sources", () => {
  it("the first that says something decides; what none allows is refused", async () => {
    const first = ruleSet({ deny: "all", topics: "a" }, { allow: "all", topics: "b" });
    const second = ruleSet({ allow: "all", topics: ["a", "c"] }, { deny: "all", topics: "b" });
    const access = (await chain(first, second)).accessOf(someone());
    const answers = ["a", "b", "c", "d"].map((topic) => access.publish(topic, 1, false));
    assert.deepEqual(answers, [REFUSED, undefined, undefined, REFUSED]);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((topic) => access.receive(topic)),
      [false, true, true, false],
    );
    assert.deepEqual(
      ["a", "b", "c", "d"].map((filter) => access.subscribe(filter, 1, undefined)),
      [REFUSED, { qos: 1 }, { qos: 1 }, REFUSED],
    );
  });

  it("one that takes its time is waited for, in its turn", async () => {
    const slow = new CheckSource(({ topic }) => Promise.resolve(topic === "a" ? "deny" : "ignore"));
    const access = (await chain(slow, ruleSet({ allow: "all", topics: "#" }))).accessOf(someone());
    assert.deepEqual(await access.publish("a", 0, false), REFUSED);
    assert.equal(await access.publish("b", 0, false), undefined);
    assert.deepEqual(await access.subscribe("b", 0, undefined), { qos: 0 });
  });
});

describe("rules about users where nobody is asked who they are", () => {
  async function warningsOf(options: TestBrokerOptions): Promise<string[]> {
    const broker = await createTestBroker(options);
    const warnings: string[] = [];
    broker.on("warning", ({ message }) => void warnings.push(message));
    // Early warnings come in the next round of the event loop.
    await broker.settle();
    await broker.stop();
    return warnings;
  }

  for (const [name, rule] of [
    ["users", { users: "alice" }],
    ["claims", { claims: { role: "admin" } }],
    ["groups", { groups: "admins" }],
    ["everybody who is known", { anonymous: false }],
    ["all but some users", { except: { users: "alice" } }],
    ["topics with the user name", { topics: "users/%u" }],
    ["topics with a claim", { topics: "sites/${claims.site}" }],
  ] as const) {
    it(`are told of at the start: ${name}`, async () => {
      const warnings = await warningsOf({
        permissions: [{ rules: [{ allow: "all", topics: "a", ...rule }] }],
      });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", /^permissions: .*expected `authentication`/);
    });
  }

  it("are told of when they stand in claims", async () => {
    assert.equal((await warningsOf({ permissions: [{ claims: { publish: "pub" } }] })).length, 1);
  });

  it("are fine when something asks", async () => {
    const permissions = [{ rules: [{ allow: "all", topics: "#", users: "alice" }] }] as const;
    const identified = { authentication: [() => ({ account: "a" })], permissions };
    assert.deepEqual(await warningsOf(identified), []);
    assert.deepEqual(await warningsOf({ hooks: { connect: () => undefined }, permissions }), []);
  });

  it("are not what rules about anything else are", async () => {
    const rules = [
      { allow: "all", topics: "clients/%c", anonymous: true },
      { deny: "publish", topics: "#", clientIds: "x*", addresses: "10.0.0.0/8", listeners: "outside" },
    ] as const;
    assert.deepEqual(await warningsOf({ permissions: [{ rules }] }), []);
  });
});

describe("claims", () => {
  const source = new ClaimsSource({ publish: "pub", subscribe: "sub" });
  const withClaims = (pub: unknown, sub: unknown): Promise<Access> =>
    accessTo(
      source,
      someone({
        username: "u",
        claims: new Map([
          ["pub", pub],
          ["sub", sub],
        ]),
      }),
    );

  it("are lists of filters, and these are what may be used - attack AUTHZ-04", async () => {
    const access = await withClaims(["a/+", "$s/x"], ["b/#"]);
    assert.deepEqual(
      ["a/1", "a/1/2", "$s/x", "b/1"].map((topic) => access.publish(topic, 1, true)),
      [undefined, REFUSED, undefined, REFUSED],
    );
    assert.deepEqual(
      ["b/#", "b/+/c", "#", "+/1", "a/1"].map((filter) => access.subscribe(filter, 1, undefined)),
      [{ qos: 1 }, { qos: 1 }, REFUSED, REFUSED, REFUSED],
    );
    assert.deepEqual([access.receive("b/1"), access.receive("a/1")], [true, false]);
  });

  it("a claim that is no list of filters allows nothing, and its words stand for themselves - attack AUTHZ-01", async () => {
    for (const bad of [undefined, "a", {}, 7, ["a", 7], ["a", "a/#/b"], [""], Array(1_001).fill("a")]) {
      const access = await withClaims(bad, bad);
      assert.deepEqual(access.publish("a", 0, false), REFUSED);
      assert.equal(access.receive("a"), false);
    }
    const access = await withClaims(["x/%u"], ["x/%u"]);
    assert.deepEqual(access.publish("x/u", 0, false), REFUSED);
    assert.equal(access.publish("x/%u", 0, false), undefined);
  });

  it("of a client that is away were looked at when it was here - attack RET-01", async () => {
    const access = await accessTo(source, someone({ username: "u", listener: "" }));
    assert.equal(access.publish("a", 0, true), undefined);
    assert.equal(access.receive("a"), false);
  });
});

describe("a function", () => {
  it("is told everything and decides", async () => {
    const seen: unknown[] = [];
    const check: PermissionCheck = ({ action, client, topic, qos, retain, shareName }) => {
      seen.push([action, client.username, topic, qos, retain, shareName]);
      return topic === "yes" ? "allow" : "deny";
    };
    const access = await accessTo(new CheckSource(check));
    assert.equal(access.publish("yes", 1, true), undefined);
    assert.deepEqual(access.subscribe("yes", 2, "g"), { qos: 2 });
    assert.equal(access.receive("no"), false);
    assert.deepEqual(seen, [
      ["publish", "u", "yes", 1, true, undefined],
      ["subscribe", "u", "yes", 2, false, "g"],
      ["receive", "u", "no", 0, false, undefined],
    ]);
  });

  it("refuses when it cannot answer: a promise for a delivery, no answer at all, an error", async () => {
    const late = await accessTo(new CheckSource(() => Promise.resolve("allow")));
    assert.equal(late.receive("a"), false);
    const failing = await accessTo(new CheckSource(() => Promise.reject(new Error("no"))));
    assert.equal(failing.receive("a"), false);
    const answers: PermissionAnswer[] = JSON.parse('["yes", true, null]');
    for (const answer of answers) {
      const access = await accessTo(new CheckSource(() => answer));
      assert.deepEqual(access.publish("a", 0, false), REFUSED);
    }
    const broker = await createTestBroker({
      permissions: [
        () => {
          throw new Error("no");
        },
      ],
    });
    const client = await connected(broker);
    assert.equal(await publishAnswer(client, "a"), 0x87);
    await broker.stop();
  });
});

describe("files", () => {
  it("are read at the start, and anew by reload(): all or none - attack AUTHZ-12", async (context) => {
    const directory = await newDirectory(context);
    const [aclFile, rulesFile] = [join(directory, "acl"), join(directory, "rules.yaml")];
    await writeFile(aclFile, "topic a\n");
    await writeFile(rulesFile, "- { allow: all, topics: b }\n");
    const broker = await createTestBroker({ permissions: [{ aclFile }, { rulesFile }] });
    context.after(() => broker.stop());
    const client = await connected(broker);
    const allowed = async (): Promise<string> => {
      const answers = [];
      for (const topic of ["a", "b", "c", "d"])
        answers.push([topic, await publishAnswer(client, topic)] as const);
      return answers.flatMap(([topic, code]) => (code === 0x87 ? [] : [topic])).join("");
    };
    assert.equal(await allowed(), "ab");
    await writeFile(aclFile, "topic c\n");
    await writeFile(rulesFile, "- { allow: all, topics: d }\n");
    await broker.reload();
    assert.equal(await allowed(), "cd");
    for (const spoil of [
      () => writeFile(rulesFile, "- { allow: all, topics: [a, b, c, d] "),
      () => writeFile(rulesFile, "- { allow: al, topics: a }"),
      () => rm(rulesFile),
    ]) {
      await writeFile(aclFile, "topic readwrite #\n");
      await spoil();
      await assert.rejects(broker.reload(), { code: "CONFIG_INVALID", file: rulesFile });
      assert.equal(await allowed(), "cd");
    }
    // Empty files allow nothing.
    await writeFile(aclFile, "");
    await writeFile(`${rulesFile}.new`, "# nothing\n");
    await rename(`${rulesFile}.new`, rulesFile);
    await broker.reload();
    assert.equal(await allowed(), "");
  });

  it("that are not there or wrong keep the broker from starting - attack AUTHZ-12", async (context) => {
    const directory = await newDirectory(context);
    const there = join(directory, "acl");
    await writeFile(there, "nonsense\n");
    for (const aclFile of [join(directory, "absent"), directory, there]) {
      await assert.rejects(
        createBroker({ port: 0, store: "memory", permissions: [{ aclFile }] }),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.file, aclFile);
          return true;
        },
      );
    }
  });

  it("go through the same doors whether a program or a file names them", async () => {
    await assert.rejects(openPermissions([{ kind: "rulesFile", file: "/nowhere/rules" }]), {
      code: "CONFIG_INVALID",
    });
  });
});

describe("the code that topics and filters go through", () => {
  for (const folder of ["heirloom/src/permissions", "core/src", "codec/src"]) {
    it(`has no regular expression, so that what clients choose is compared in linear time: ${folder} - attack CPU-01`, async () => {
      const root = new URL(`../../${folder}/`, import.meta.url);
      const names = await readdir(root, { recursive: true });
      // What tests read and write with is no part of a server.
      const files = names.filter((name) => name.endsWith(".ts") && !name.startsWith("testing"));
      assert.ok(files.length > 10);
      for (const file of files) {
        const source = await readFile(new URL(file, root), "utf8");
        const code = source.replace(/^\s*(\/\/|\/?\*).*$/gm, "");
        assert.doesNotMatch(code, /RegExp|\.(?:match|matchAll|search|test|exec)\(\s*\/|=\s*\/[^/*]/, file);
      }
    });
  }
});
