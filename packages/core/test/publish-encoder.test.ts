// One message in all its forms: each receiver gets the one of its version, QoS, RETAIN flag and identifiers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType, readForwardedProperties, writeForwardedProperties } from "@heirloom/codec";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { clean } from "./support.ts";

test("messages of one turn reach many receivers in their own forms, whatever the order of receivers and messages", async () => {
  const broker = await MemoryBroker.start();
  const receivers: {
    client: TestClient;
    expected: (payload: string, packetId: number, qos: number) => string;
  }[] = [];
  for (const version of [3, 4, 5] as const) {
    for (const granted of [0, 1, 2] as const) {
      for (const retainAsPublished of version === 5 ? [false, true] : [false]) {
        for (const identifier of version === 5 ? [0, 7] : [0]) {
          const client = await clean(broker, `c${receivers.length}`, {}, version);
          const filter = { topicFilter: "t/å", qos: granted, retainAsPublished, retainHandling: 2 } as const;
          await client.subscribe(filter, identifier === 0 ? undefined : identifier);
          const expected = (payload: string, packetId: number, published: number): string => {
            const qos = Math.min(published, granted);
            const acknowledged = qos === 0 ? ["", ""] : [` ${packetId}`, " dup=0"];
            const retain = retainAsPublished ? " retain=1" : "";
            const ids = identifier === 0 ? "" : ` ids=${identifier}`;
            const expiry = version === 5 ? " expiry=9" : "";
            return `PUBLISH${acknowledged[0]} t/å qos=${qos}${acknowledged[1]}${retain} "${payload}"${expiry}${ids}`;
          };
          receivers.push({ client, expected });
        }
      }
    }
  }
  const pub = await clean(broker, "pub");
  const published = [2, 0, 1, 2, 1] as const;
  for (const [place, qos] of published.entries()) {
    pub.sendPublish({ topicName: "t/å", qos, retain: true, payload: `${place}`, messageExpiryInterval: 9 });
  }
  await broker.settle();
  for (const { client, expected } of receivers) {
    let packetId = 0;
    const words = published.map((qos, place) => {
      const probe = expected(`${place}`, packetId + 1, qos);
      if (!probe.includes(" qos=0")) packetId++;
      return probe;
    });
    assert.deepEqual(client.words(), words);
  }
});

test("the properties of the publisher go on unaltered and in order, to 5.0 only - 5.0 [MQTT-3.3.2-15], [MQTT-3.3.2-17], [MQTT-3.3.2-18]", async () => {
  const broker = await MemoryBroker.start();
  const properties = {
    payloadFormatIndicator: 1,
    contentType: "text/plain",
    responseTopic: "r",
    correlationData: Uint8Array.of(1, 2),
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "1"],
    ] as [string, string][],
  };
  const sub = await clean(broker, "sub");
  const old = await clean(broker, "old", {}, 4);
  for (const client of [sub, old]) await client.subscribe("t");
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t", payload: "x", forwarded: writeForwardedProperties(properties) });
  const [packet] = sub.take();
  assert.ok(packet?.type === PacketType.PUBLISH);
  assert.deepEqual(readForwardedProperties(packet.forwarded), properties);
  assert.deepEqual(old.words(), ['PUBLISH t qos=0 "x"']);
});
