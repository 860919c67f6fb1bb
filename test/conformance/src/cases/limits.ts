// What a broker with a limit or a switched-off feature announces, and what it does to clients that do not care.
// 5.0 sections 3.2.2.3 and 3.3.4; 3.1.1 [MQTT-3.8.3-2].
import { publish, subscribe } from "../build.ts";
import { type Case, VERSIONS } from "../case.ts";
import { equal, oneOf } from "../check.ts";
import type { Trial } from "../trial.ts";

/** SUBSCRIBE to a filter that the broker does not serve: a failure in SUBACK or a DISCONNECT, with this code. */
async function unavailable(t: Trial, filter: string, code: number): Promise<void> {
  const client = await t.connect();
  client.send(subscribe(t.version, 1, [{ filter, qos: 1 }]));
  try {
    oneOf((await client.take("SUBACK")).reasonCodes[0], t.five ? [code] : [0x80], "code of SUBACK");
    await client.silence("the refused filter is no subscription");
  } catch (error) {
    if (!client.wire.closed) throw error;
    await client.closes(t.five ? [code] : []);
  }
}

export const limitCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-3.2.2-9]", "5.0 [MQTT-3.2.2-10]", "5.0 [MQTT-3.2.2-11]", "5.0 [MQTT-3.2.2-12]"],
    title: "Maximum QoS 0: announced, SUBSCRIBE served at 0, PUBLISH and Will above it refused with 0x9B",
    hardCase: ["connecting/12", "unnumbered/3", "session/12"],
    needs: { maximumQoS: 0 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.maximumQoS, 0, "Maximum QoS");
      equal((await client.trySubscribe([{ filter: t.topic(), qos: 2 }])).reasonCodes, [0], "codes of SUBACK");
      await client.publish(t.topic(), "zero");
      await client.receive({ payload: "zero", qos: 0 });
      client.publishOnly({ topic: t.topic(), qos: 1 });
      await client.closes([0x9b]);
      for (const qos of [1, 2]) await t.refused({ will: { topic: t.topic(), qos } }, [0x9b]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-9]", "5.0 [MQTT-3.2.2-10]", "5.0 [MQTT-3.2.2-11]"],
    title:
      "Maximum QoS 1: announced as 1, SUBSCRIBE at 2 is granted at most 1, PUBLISH at 2 refused with 0x9B",
    hardCase: ["connecting/12", "unnumbered/3"],
    needs: { maximumQoS: 1 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.maximumQoS, 1, "Maximum QoS");
      const suback = await client.trySubscribe([{ filter: t.topic(), qos: 2 }]);
      oneOf(suback.reasonCodes[0], [0, 1], "code of SUBACK");
      await client.publish(t.topic(), "one", { qos: 1 });
      await client.receive({ payload: "one" });
      client.publishOnly({ topic: t.topic(), qos: 2 });
      await client.closes([0x9b]);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.3-2]", "5.0 [MQTT-3.9.3-2]"],
    title: "without wildcard subscriptions a filter with wildcards is refused, in 5.0 with 0xA2",
    hardCase: ["connecting/12", "unnumbered/3", "subscriptions/13", "retained/7"],
    needs: { wildcardSubscriptionAvailable: false },
    async run(t) {
      const client = await t.subscriber(t.topic(), 1);
      if (t.five)
        equal(client.connack.properties.wildcardSubscriptionAvailable, 0, "Wildcard Subscription Available");
      await (await t.connect()).publish(t.topic("kept"), "kept", { retain: true });
      // Also shows that a refused filter brings no retained messages: `unavailable` expects silence.
      await unavailable(t, t.topic("#"), 0xa2);
      await unavailable(t, `+/${t.prefix}`, 0xa2);
    },
  },
  {
    ids: ["5.0 [MQTT-3.9.3-2]"],
    title: "without Shared Subscriptions a shared filter is refused with 0x9E",
    hardCase: ["connecting/12", "unnumbered/3", "subscriptions/13"],
    needs: { sharedSubscriptionAvailable: false },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.sharedSubscriptionAvailable, 0, "Shared Subscription Available");
      await unavailable(t, `$share/g/${t.topic()}`, 0x9e);
    },
  },
  {
    ids: ["5.0 [MQTT-3.9.3-2]"],
    title: "without Subscription Identifiers a SUBSCRIBE with one is refused with 0xA1",
    hardCase: ["connecting/12", "unnumbered/3", "subscriptions/13"],
    needs: { subscriptionIdentifiersAvailable: false },
    async run(t) {
      const client = await t.connect();
      equal(
        client.connack.properties.subscriptionIdentifiersAvailable,
        0,
        "Subscription Identifiers Available",
      );
      client.send(subscribe(t.version, 1, [{ filter: t.topic() }], { subscriptionIdentifiers: [1] }));
      try {
        equal((await client.take("SUBACK")).reasonCodes, [0xa1], "codes of SUBACK");
      } catch (error) {
        if (!client.wire.closed) throw error;
        await client.closes([0xa1]);
      }
    },
  },
  {
    ids: ["5.0 [MQTT-4.1.0-2]", "5.0 [MQTT-3.1.2-23]"],
    title: "a shortened Session Expiry Interval is told in CONNACK, and the session ends by it",
    hardCase: ["connecting/12", "session/7"],
    needs: { sessionExpiryMaximum: 1 },
    seconds: 3,
    async run(t) {
      const client = await t.connect({ properties: { sessionExpiryInterval: 600 } });
      equal(client.connack.properties.sessionExpiryInterval, 1, "Session Expiry Interval in CONNACK");
      await client.disconnect();
      await t.delay(2500);
      const back = await t.connect({ clientId: client.clientId, lasting: true });
      equal(back.connack.sessionPresent, false, "Session Present after 2.5 s");
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-22]"],
    title: "a Keep Alive within the broker's maximum is left as it is, and told by no Server Keep Alive",
    hardCase: "connecting/13",
    needs: { keepAliveMaximum: 2 },
    async run(t) {
      const client = await t.connect({ keepAlive: 1 });
      oneOf(client.connack.properties.serverKeepAlive, [undefined, 1], "Server Keep Alive");
      await client.closes([0x8d], 12_000);
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-15]"],
    versions: VERSIONS,
    title: "a packet far above the Maximum Packet Size closes the connection in every version",
    hardCase: "flow/4",
    needs: { maximumPacketSize: 1000 },
    async run(t) {
      const client = await t.connect();
      client.send(publish(t.version, { topic: t.topic(), payload: "x".repeat(2000) }));
      await client.closes(t.five ? [0x95] : []);
    },
  },
];
