// Subscriptions that a client takes up again, and permissions that know them late, or not at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Access, ClientInfo, Permissions, Refusal } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { lasting, resume } from "./support.ts";

/** Lets receive only what it was asked about; answers later, or not at all. */
class SlowPermissions implements Permissions {
  isDown = false;
  denied: string | undefined;
  open = 0;
  changed = (): void => undefined;

  accessOf(_client: ClientInfo): Access {
    const granted = new Set<string>();
    this.open++;
    return {
      publish: () => undefined,
      subscribe: async (topicFilter): Promise<Refusal | undefined> => {
        await Promise.resolve();
        if (this.isDown) throw new Error("down");
        if (topicFilter === this.denied) return { reasonCode: 0x87 };
        granted.add(topicFilter);
        return undefined;
      },
      receive: (topicName) => granted.has(topicName),
      close: () => {
        this.open--;
      },
    };
  }

  identityFault({ clientId }: ClientInfo): string | undefined {
    if (clientId === "throws") throw new Error("no");
    return clientId === "a+b" ? "a name with a wildcard" : undefined;
  }

  start(changed: () => void): void {
    this.changed = changed;
  }

  stop(): void {}
}

async function start(): Promise<{ broker: MemoryBroker; permissions: SlowPermissions }> {
  const permissions = new SlowPermissions();
  return { permissions, broker: await MemoryBroker.start({ permissions }) };
}

test("a session is asked about before its first delivery, so that nothing that waits is left out", async () => {
  const { broker } = await start();
  const client = await lasting(broker, "c");
  await client.subscribe("a");
  await client.drop();
  const publisher = await lasting(broker, "p");
  await publisher.publish({ topicName: "a", qos: 1 });
  const { words } = await resume(broker, "c");
  assert.deepEqual(words, ["CONNACK 0x00 present=1", 'PUBLISH 1 a qos=1 dup=0 ""']);
});

test("while permissions cannot be asked a session is refused with 0x88, and keeps everything", async () => {
  const { broker, permissions } = await start();
  const client = await lasting(broker, "c");
  await client.subscribe("a");
  await client.drop();
  const publisher = await lasting(broker, "p");
  await publisher.publish({ topicName: "a", qos: 1 });
  permissions.isDown = true;
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x88 present=0"]);
  permissions.isDown = false;
  assert.equal((await resume(broker, "c")).words.length, 2);
  assert.equal(broker.counters.subscribeForbidden, 0);
});

test("a subscription that is refused then is gone, and what waits for it is not sent - attack AUTHZ-06", async () => {
  const { broker, permissions } = await start();
  const client = await lasting(broker, "c");
  await client.subscribe(["a", "b"]);
  await client.drop();
  const publisher = await lasting(broker, "p");
  await publisher.publish({ topicName: "a", qos: 1 });
  await publisher.publish({ topicName: "b", qos: 1 });
  permissions.denied = "a";
  const { words } = await resume(broker, "c");
  assert.deepEqual(words, ["CONNACK 0x00 present=1", 'PUBLISH 1 b qos=1 dup=0 ""']);
  assert.equal(broker.counters.subscribeForbidden, 1);
});

test("when rules change and permissions cannot be asked, no subscription ends", async () => {
  const { broker, permissions } = await start();
  const client = await lasting(broker, "c");
  await client.subscribe("a");
  permissions.isDown = true;
  permissions.changed();
  await broker.settle();
  assert.equal(broker.counters.subscribeForbidden, 0);
  assert.deepEqual(await client.ping(), ["PINGRESP"]);
});

test("each access is closed: when its client goes, and when it is asked for anew", async () => {
  const { broker, permissions } = await start();
  const client = await lasting(broker, "c", { will: { topicName: "w" } });
  await client.subscribe("a");
  permissions.changed();
  await client.publish({ topicName: "x" });
  assert.equal(permissions.open, 1);
  await client.drop();
  await broker.advance(3_600);
  assert.equal(permissions.open, 0);
});

test("who cannot be judged is refused at CONNECT with 0x87; a failure to judge refuses too - attack AUTHZ-01", async () => {
  const { broker } = await start();
  for (const clientId of ["a+b", "throws"]) {
    assert.deepEqual(await broker.client(clientId).connect(), ["CONNACK 0x87 present=0"]);
  }
  assert.deepEqual(await broker.client("fine").connect(), ["CONNACK 0x00 present=0"]);
});
