// MQTT over WebSocket. Chapter 6 of 3.1.1 and 5.0.
import { connect, publish } from "../build.ts";
import { join } from "../bytes.ts";
import { type Case, NUMBERED } from "../case.ts";
import { equal, oneOf } from "../check.ts";

export const webSocketCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-6.0.0-4]", "5.0 [MQTT-6.0.0-4]"],
    title: "the broker selects the subprotocol mqtt, and answers in binary frames",
    hardCase: "properties/14",
    webSocket: true,
    async run(t) {
      const { client, socket, texts } = await t.openWebSocket(["mqtt"]);
      equal(socket.protocol, "mqtt", "Sec-WebSocket-Protocol");
      await client.connect(t.connectFields());
      await client.silence();
      equal(texts.count, 0, "text frames from the broker");
    },
  },
  {
    ids: ["3.1.1 [MQTT-6.0.0-1]", "5.0 [MQTT-6.0.0-1]"],
    title: "a text frame closes the connection",
    hardCase: "properties/14",
    webSocket: true,
    async run(t) {
      const { client, socket } = await t.openWebSocket();
      await client.connect(t.connectFields());
      socket.send("\u00c0\u0000");
      await client.closes(t.five ? [0x81, 0x82] : []);
      const first = await t.openWebSocket();
      first.socket.send("text");
      await first.client.closes();
    },
  },
  {
    ids: ["3.1.1 [MQTT-6.0.0-2]", "5.0 [MQTT-6.0.0-2]"],
    title:
      "packets may be split over frames byte by byte, or share a frame; ping frames in between do not matter",
    hardCase: "properties/14",
    webSocket: true,
    async run(t) {
      const { client, socket } = await t.openWebSocket();
      for (const byte of connect(t.connectFields())) client.send(byte);
      await client.accepted();
      await client.subscribe(t.topic(), 0);
      const numbers = Array.from({ length: 100 }, (_, index) => String(index));
      const bytes = join(...numbers.map((payload) => publish(t.version, { topic: t.topic(), payload })));
      client.send(bytes);
      for (const payload of numbers) await client.receive({ payload });
      client.send(bytes.subarray(0, 10));
      socket.ping();
      client.send(bytes.subarray(10));
      for (const payload of numbers) await client.receive({ payload });
    },
  },
  {
    ids: ["3.1.1 [MQTT-6.0.0-4]", "5.0 [MQTT-6.0.0-4]"],
    title: "the broker selects no subprotocol but mqtt",
    hardCase: "properties/14",
    webSocket: true,
    async run(t) {
      for (const protocols of [[], ["chat"], ["chat", "mqtt"]]) {
        const opened = await t.openWebSocket(protocols).catch(() => undefined);
        oneOf(opened?.socket.protocol ?? "", ["", "mqtt"], "Sec-WebSocket-Protocol");
        opened?.client.drop();
      }
    },
  },
  {
    // The client is who has to name mqtt.
    ids: ["3.1.1 [MQTT-6.0.0-4]", "5.0 [MQTT-6.0.0-4]"],
    title: "beyond the standard: a WebSocket without the subprotocol mqtt is refused",
    hardCase: "properties/14",
    webSocket: true,
    contract: true,
    async run(t) {
      for (const protocols of [[], ["chat"]]) {
        let opened;
        try {
          opened = await t.openWebSocket(protocols);
        } catch {
          // Refused in the handshake, as it should be.
          continue;
        }
        opened.client.send(connect(t.connectFields()));
        await opened.client.wire.ended();
        equal(opened.client.wire.packets.length, 0, "packets on a WebSocket without the subprotocol");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.3-2]", "5.0 [MQTT-3.1.3-2]"],
    versions: NUMBERED,
    title: "a session is resumed over another transport",
    webSocket: true,
    async run(t) {
      const first = await t.connect({ lasting: true });
      await first.subscribe(t.topic(), 1);
      await first.disconnect();
      await (await t.connect()).publish(t.topic(), "kept", { qos: 1 });
      const { client } = await t.openWebSocket();
      await client.connect(t.connectFields({ clientId: first.clientId, lasting: true }));
      equal(client.connack.sessionPresent, true, "Session Present");
      await client.receive({ payload: "kept" });
    },
  },
];
