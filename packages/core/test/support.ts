// What the tests of the core share: the usual clients, connected.

import type { ProtocolVersion } from "@heirloom/codec";
import type { MemoryStore, Store } from "@heirloom/core";
import type { ConnectInit, MemoryBroker, TestClient } from "@heirloom/core/testing";

/** A client whose session lives for an hour after its connection; it resumes what there is. */
export async function lasting(
  broker: MemoryBroker,
  name: string,
  init: ConnectInit = {},
  version: ProtocolVersion = 5,
): Promise<TestClient> {
  const client = broker.client(name, version);
  const properties = version === 5 ? { sessionExpiryInterval: 3600, ...init.properties } : {};
  await client.connect({ cleanStart: false, ...init, properties });
  client.take();
  return client;
}

/** The same, and what came with CONNACK. */
export async function resume(
  broker: MemoryBroker,
  name: string,
  init: ConnectInit = {},
): Promise<{ client: TestClient; words: string[] }> {
  const client = broker.client(name);
  const properties = { sessionExpiryInterval: 3600, ...init.properties };
  return { client, words: await client.connect({ cleanStart: false, ...init, properties }) };
}

/** A client whose session ends with its connection. */
export async function clean(
  broker: MemoryBroker,
  name: string,
  init: ConnectInit = {},
  version: ProtocolVersion = 5,
): Promise<TestClient> {
  const client = broker.client(name, version);
  await client.connect(init);
  client.take();
  return client;
}

/** Publishes texts on one topic at one QoS, numbered payloads if a count is given, and waits for each acknowledgement. */
export async function publishAll(
  publisher: TestClient,
  topicName: string,
  qos: 0 | 1 | 2,
  payloads: readonly string[],
): Promise<void> {
  for (const payload of payloads) {
    const words = await publisher.publish({ topicName, qos, payload });
    if (qos !== 2) continue;
    const packetId = Number(words[0]?.split(" ")[1]);
    await publisher.pubrel(packetId);
  }
}

/** A store whose logs are read in another way. */
export function storeThatReads(store: MemoryStore, readLog: Store["readLog"]): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "readLog") return readLog;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
