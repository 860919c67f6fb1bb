import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
test("smoke", async () => {
  const broker = await MemoryBroker.start();
  const sub = broker.client("sub");
  console.log(await sub.connect({ cleanStart: false, properties: { sessionExpiryInterval: 60 } }));
  console.log(await sub.subscribe("a/#"));
  const pub = broker.client("pub", 4);
  console.log(await pub.connect());
  console.log(await pub.publish({ topicName: "a/b", qos: 2, payload: "x" }), sub.words());
  await broker.restart();
  const sub2 = broker.client("sub");
  console.log(await sub2.connect({ cleanStart: false, properties: { sessionExpiryInterval: 60 } }));
  console.log(await sub2.pubrec(1), await sub2.pubcomp(1));
});
