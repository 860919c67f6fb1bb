// Enhanced authentication of 5.0. Sections 4.12 and 3.15. The broker's method "TEST-ECHO" sends the data "challenge"
// and wants the data "response".
import { auth, connect, publish, subscribe } from "../build.ts";
import { utf8 } from "../bytes.ts";
import type { Case } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
import type { Properties } from "../properties.ts";
import type { Trial } from "../trial.ts";

const needs = { enhancedAuthentication: true };
const method: Properties = { authenticationMethod: "TEST-ECHO" };
const response: Properties = { ...method, authenticationData: utf8("response") };

/** Sent CONNECT with the method and got the challenge. */
async function challenged(t: Trial, more: Properties = {}): Promise<Client> {
  const client = await t.open();
  client.send(connect(t.connectFields({ properties: { ...method, ...more } })));
  await expectChallenge(client);
  return client;
}

async function expectChallenge(client: Client): Promise<void> {
  const packet = await client.take("AUTH");
  equal(packet.reasonCode, 0x18, "Reason Code of AUTH");
  equal(packet.properties.authenticationMethod, "TEST-ECHO", "Authentication Method of AUTH");
  equal(
    Buffer.from(packet.properties.authenticationData ?? []).toString(),
    "challenge",
    "Authentication Data",
  );
}

async function authenticated(t: Trial): Promise<Client> {
  const client = await challenged(t);
  client.send(auth(0x18, response));
  const connack = await client.accepted();
  equal(connack.properties.authenticationMethod, "TEST-ECHO", "Authentication Method of CONNACK");
  return client;
}

/** The connection ends before a CONNACK of success: CONNACK with one of the codes or nothing, no DISCONNECT. */
async function refusedAuth(client: Client, codes: readonly number[]): Promise<void> {
  await client.wire.ended();
  client.wire.check();
  for (const packet of client.wire.packets) {
    equal(packet.name, "CONNACK", "what came before the end");
    if (packet.name === "CONNACK") oneOf(packet.reasonCode, codes, "Reason Code of CONNACK");
  }
}

export const authCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-4.12.0-1]"],
    title: "an unknown Authentication Method is refused with 0x8C, or 0x87, also with a good password",
    hardCase: "properties/12",
    async run(t) {
      const properties = { authenticationMethod: "NOPE" };
      await t.refused({ properties }, [0x8c, 0x87]);
      await t.refused({ properties, userName: "alice", password: "secret" }, [0x8c, 0x87]);
    },
  },
  {
    ids: ["5.0 [MQTT-4.12.0-6]", "5.0 [MQTT-4.12.0-7]"],
    title: "without a method there is no AUTH: the broker sends none and the client's is a Protocol Error",
    hardCase: "properties/12",
    async run(t) {
      const rows = [
        ["AUTH of length 0", Uint8Array.of(0xf0, 0)],
        ["0x18", auth(0x18, method)],
        ["0x19", auth(0x19, method)],
      ] as const;
      await forEach(rows, async (bytes) => {
        const client = await t.connect();
        equal(client.connack.properties.authenticationMethod, undefined, "Authentication Method of CONNACK");
        client.send(bytes);
        await client.closes([0x82, 0x81]);
      });
    },
  },
  {
    ids: ["5.0 [MQTT-4.12.0-2]", "5.0 [MQTT-4.12.0-5]", "5.0 [MQTT-3.2.0-1]"],
    title: "challenge and response: AUTH 0x18 both ways, then CONNACK with the method",
    hardCase: "properties/12",
    needs,
    async run(t) {
      const client = await authenticated(t);
      await client.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-4.12.0-4]", "5.0 [MQTT-4.12.0-3]", "5.0 [MQTT-4.12.0-5]", "5.0 [MQTT-3.15.2-1]"],
    title: "a wrong response, code or method ends the authentication and the connection",
    hardCase: "properties/12",
    needs,
    async run(t) {
      const rows = [
        [
          "wrong data",
          { bytes: auth(0x18, { ...method, authenticationData: utf8("wrong") }), codes: [0x86, 0x87] },
        ],
        ["code 0x19", { bytes: auth(0x19, response), codes: [0x82] }],
        ["code 0x00", { bytes: auth(0x00, response), codes: [0x81, 0x82] }],
        ["code 0x80", { bytes: auth(0x80, response), codes: [0x81, 0x82] }],
        [
          "another method",
          { bytes: auth(0x18, { ...response, authenticationMethod: "OTHER" }), codes: [0x82, 0x8c, 0x87] },
        ],
        [
          "no method",
          { bytes: auth(0x18, { authenticationData: utf8("response") }), codes: [0x82, 0x8c, 0x87] },
        ],
        ["AUTH of length 0", { bytes: Uint8Array.of(0xf0, 0), codes: [0x82, 0x8c, 0x87, 0x81] }],
        ["flags 1", { bytes: Uint8Array.of(0xf1, 0), codes: [0x81] }],
      ] as const;
      await forEach(rows, async ({ bytes, codes }) => {
        const client = await challenged(t);
        client.send(bytes);
        await refusedAuth(client, codes);
      });
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-30]", "5.0 [MQTT-3.1.4-6]"],
    title: "before CONNACK only AUTH and DISCONNECT are legal: others close and have no effect",
    hardCase: "properties/12",
    needs,
    async run(t) {
      const watcher = await t.subscriber(t.topic(), 1);
      const rows = [
        ["PUBLISH", publish(t.version, { topic: t.topic() })],
        ["SUBSCRIBE", subscribe(t.version, 1, [{ filter: t.topic() }])],
        ["PINGREQ", Uint8Array.of(0xc0, 0)],
      ] as const;
      await forEach(rows, async (bytes) => {
        const client = await challenged(t);
        client.send(bytes);
        await refusedAuth(client, [0x82]);
      });
      await watcher.silence("nothing published before CONNACK");
    },
  },
  {
    ids: ["5.0 [MQTT-4.12.1-1]", "5.0 [MQTT-4.12.0-5]", "5.0 [MQTT-3.2.0-2]"],
    title:
      "re-authentication: AUTH 0x19, challenge, response, AUTH 0x00; traffic goes on and no CONNACK comes",
    hardCase: "properties/13",
    needs,
    async run(t) {
      const client = await authenticated(t);
      await client.subscribe(t.topic(), 1);
      client.send(auth(0x19, method));
      await expectChallenge(client);
      await client.publish(t.topic(), "meanwhile", { qos: 1 });
      await client.receive({ payload: "meanwhile" });
      client.send(auth(0x18, response));
      const done = await client.take("AUTH");
      equal(done.reasonCode, 0x00, "Reason Code of AUTH");
      equal(done.properties.authenticationMethod, "TEST-ECHO", "Authentication Method of AUTH");
      await client.silence("no CONNACK");
    },
  },
  {
    ids: ["5.0 [MQTT-4.12.1-2]", "5.0 [MQTT-4.12.1-1]"],
    title: "a failed re-authentication, or one with another method, ends the connection",
    hardCase: "properties/13",
    needs,
    async run(t) {
      const wrongData = await authenticated(t);
      wrongData.send(auth(0x19, method));
      await expectChallenge(wrongData);
      wrongData.send(auth(0x18, { ...method, authenticationData: utf8("wrong") }));
      await wrongData.closes([0x86, 0x87]);
      const otherMethod = await authenticated(t);
      otherMethod.send(auth(0x19, { authenticationMethod: "OTHER" }));
      await otherMethod.closes([0x82, 0x8c, 0x87]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.15.2-2]", "5.0 [MQTT-3.15.2-3]"],
    title: "AUTH fits into the client's Maximum Packet Size",
    hardCase: ["flow/6", "properties/1"],
    needs,
    async run(t) {
      const client = await t.open();
      const properties = { ...method, maximumPacketSize: 40, requestProblemInformation: 0 };
      client.send(connect(t.connectFields({ properties })));
      const packet = await client.take("AUTH");
      truthy(packet.size <= 40, `AUTH has ${packet.size} bytes`);
      equal(
        packet.properties.reasonString ?? packet.properties.userProperties,
        undefined,
        "problem information",
      );
    },
  },
];
