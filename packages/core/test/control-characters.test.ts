// Control characters in what clients name: identities, topics, filters and wills.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean } from "./support.ts";

const CONTROL = [
  ...Array.from({ length: 0x1f }, (_, index) => index + 1),
  ...Array.from({ length: 0x21 }, (_, index) => index + 0x7f),
].map((code) => String.fromCharCode(code));
const NEIGHBOURS = [" ", "~", "\u00a0", "\ufeff"];

test("control characters in client identifiers and user names are refused, for each of the 64 - attack PARSE-14", async () => {
  const broker = await MemoryBroker.start();
  assert.equal(CONTROL.length, 64);
  for (const character of CONTROL) {
    for (const clientId of [character, `a${character}`, `${character}b`]) {
      assert.deepEqual(await broker.client(clientId).connect(), ["CONNACK 0x85 present=0"]);
      assert.deepEqual(await broker.client(clientId, 4).connect(), ["CONNACK 0x02 present=0"]);
    }
    const named = broker.client("c");
    assert.deepEqual(await named.connect({ username: `u${character}` }), ["CONNACK 0x86 present=0"]);
    const old = broker.client("c", 4);
    assert.deepEqual(await old.connect({ username: `u${character}` }), ["CONNACK 0x04 present=0"]);
  }
  for (const character of NEIGHBOURS) {
    const client = broker.client(`c${character}`);
    assert.deepEqual(await client.connect({ username: character }), ["CONNACK 0x00 present=0"]);
  }
  assert.equal(broker.counters.sessions, NEIGHBOURS.length);
});

test("nor may authentication name somebody so - attack PARSE-14", async () => {
  for (const admission of [{ username: "u\n" }, { account: "a\u009b" }]) {
    const broker = await MemoryBroker.start({ hooks: { connect: () => admission } });
    assert.deepEqual(await broker.client("c").connect({ username: "u" }), ["CONNACK 0x86 present=0"]);
  }
});

test("topics may have them by default, and nothing may where that is wanted - attack PARSE-14", async () => {
  const topicName = "t/\u001b[31m";
  const open = await MemoryBroker.start();
  const sub = await clean(open, "sub");
  assert.deepEqual(await sub.subscribe(topicName), ["SUBACK 1 0x02"]);
  await (await clean(open, "pub")).publish({ topicName, payload: "x" });
  assert.equal(sub.take().length, 1);

  const strict = await MemoryBroker.start({ limits: { controlCharacters: "nowhere" } });
  const client = await clean(strict, "c");
  assert.deepEqual(await client.subscribe([topicName, "t", `$share/g\u0007/t`]), ["SUBACK 1 0x8F 0x02 0x8F"]);
  assert.deepEqual(await client.publish({ topicName, qos: 1 }), ["DISCONNECT 0x90"]);
  assert.deepEqual(await strict.client("w").connect({ will: { topicName } }), ["CONNACK 0x90 present=0"]);
});

test("all may have them where that is wanted", async () => {
  const broker = await MemoryBroker.start({ limits: { controlCharacters: "everywhere" } });
  assert.deepEqual(await broker.client("a\u0001").connect({ username: "\u007f" }), [
    "CONNACK 0x00 present=0",
  ]);
});
