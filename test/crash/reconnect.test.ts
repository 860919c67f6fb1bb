// MQTT.js as applications use it, with its own reconnecting and resending, while the server is killed and started again on the
// same port: every message that was published arrives, at QoS 2 once.

import assert from "node:assert/strict";
import { test } from "node:test";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { directoryFor } from "#interop/directory";
import { Mailbox } from "#interop/mailbox";
import { ServerProcess } from "#interop/server";

const MESSAGES = 300;
/** Messages between two kills. */
const EACH = 100;

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT.js, protocol level ${protocolVersion}, gets all it published over kills of the server`, async (t) => {
    const data = await directoryFor(t, "reconnect");
    let server = await ServerProcess.start({ data });
    t.after(() => server.kill());
    const { port } = server;
    const options: IClientOptions = {
      clean: false,
      protocolVersion,
      reconnectPeriod: 20,
      ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3_600 } } : {}),
    };
    const arrived = new Mailbox<string>();
    const reader = await connect(port, { ...options, clientId: "reader" });
    reader.on("message", (_topic, payload) => arrived.put(payload.toString()));
    await reader.subscribeAsync("reconnect", { qos: 2 });
    const writer = await connect(port, { ...options, clientId: "writer" });

    const published: Promise<unknown>[] = [];
    for (let number = 1; number <= MESSAGES; number++) {
      published.push(writer.publishAsync("reconnect", String(number), { qos: 2 }));
      if (number % EACH !== EACH / 2) continue;
      // Some are acknowledged, some are not.
      await published[number - EACH / 4];
      await server.kill();
      server = await ServerProcess.start({ data, port });
    }
    await Promise.all(published);
    const texts = await arrived.takeAll(MESSAGES);
    assert.deepEqual(
      texts,
      Array.from({ length: MESSAGES }, (_, index) => String(index + 1)),
    );
    await writer.endAsync();
    await reader.endAsync();
    assert.equal(arrived.size, 0);
  });
}

async function connect(port: number, options: IClientOptions): Promise<MqttClient> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, options);
  // While the server is away, every attempt to connect fails.
  client.on("error", () => undefined);
  await new Promise<void>((resolve) => client.once("connect", () => resolve()));
  return client;
}
