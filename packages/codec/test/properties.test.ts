// Properties of 5.0: where each is legal, how often, and with which values.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PacketError, packetName, readPacket } from "@heirloom/codec";
import type { Side } from "@heirloom/codec";
import { bytes } from "./helpers.ts";

// Table 2-4 of MQTT 5.0, copied by hand and not from the code: identifier, a legal value, packet types (W is the Will).
const TABLE: readonly [identifier: number, value: string, places: string][] = [
  [0x01, "01", "PUBLISH W"],
  [0x02, "00000001", "PUBLISH W"],
  [0x03, "0001 61", "PUBLISH W"],
  [0x08, "0001 61", "PUBLISH W"],
  [0x09, "0001 61", "PUBLISH W"],
  [0x0b, "01", "PUBLISH SUBSCRIBE"],
  [0x11, "00000001", "CONNECT CONNACK DISCONNECT"],
  [0x12, "0001 61", "CONNACK"],
  [0x13, "0001", "CONNACK"],
  [0x15, "0001 61", "CONNECT CONNACK AUTH"],
  [0x16, "0001 61", "CONNECT CONNACK AUTH"],
  [0x17, "01", "CONNECT"],
  [0x18, "00000001", "W"],
  [0x19, "01", "CONNECT"],
  [0x1a, "0001 61", "CONNACK"],
  [0x1c, "0001 61", "CONNACK DISCONNECT"],
  [0x1f, "0001 61", "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"],
  [0x21, "0001", "CONNECT CONNACK"],
  [0x22, "0001", "CONNECT CONNACK"],
  [0x23, "0001", "PUBLISH"],
  [0x24, "01", "CONNACK"],
  [0x25, "01", "CONNACK"],
  [
    0x26,
    "0001 61 0001 62",
    "CONNECT CONNACK PUBLISH W PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH",
  ],
  [0x27, "00000001", "CONNECT CONNACK"],
  [0x28, "01", "CONNACK"],
  [0x29, "01", "CONNACK"],
  [0x2a, "01", "CONNACK"],
];

// A packet of each type around the properties, and who reads it. The client reads PUBLISH: only a server may send
// a Subscription Identifier. DISCONNECT is read by the server: only a client may send Session Expiry.
const FRAMES: Record<string, readonly [side: Side, first: string, before: string, after: string]> = {
  CONNECT: ["server", "10", `0004 "MQTT" 05 02 0000`, "0000"],
  W: ["server", "10", `0004 "MQTT" 05 06 0000 00 0000`, `0001 "w" 0000`],
  CONNACK: ["client", "20", "00 00", ""],
  PUBLISH: ["client", "30", `0001 "a"`, ""],
  PUBACK: ["server", "40", "0001 00", ""],
  PUBREC: ["server", "50", "0001 00", ""],
  PUBREL: ["server", "62", "0001 00", ""],
  PUBCOMP: ["server", "70", "0001 00", ""],
  SUBSCRIBE: ["server", "82", "0001", `0001 "a" 00`],
  SUBACK: ["client", "90", "0001", "00"],
  UNSUBSCRIBE: ["server", "a2", "0001", `0001 "a"`],
  UNSUBACK: ["client", "b0", "0001", "00"],
  DISCONNECT: ["server", "e0", "00", ""],
  AUTH: ["server", "f0", "18", ""],
};

function byte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** Reads a packet of this kind with these properties; returns the reason code of the error, 0 for none. */
function verdict(place: string, properties: string): number {
  const frame = FRAMES[place];
  assert(frame !== undefined);
  const [side, first, before, after] = frame;
  // Authentication Data and AUTH cannot be without the method.
  const method = `15 0001 "m"`;
  const needsMethod = (place === "AUTH" || properties.startsWith("16")) && !properties.startsWith("15");
  const withMethod =
    needsMethod && ["AUTH", "CONNECT", "CONNACK"].includes(place) ? method + properties : properties;
  const list = bytes(withMethod);
  const body = Uint8Array.of(...bytes(before), list.length, ...list, ...bytes(after));
  try {
    readPacket(Uint8Array.of(...bytes(first), body.length, ...body), 5, side);
    return 0;
  } catch (error) {
    assert(error instanceof PacketError, String(error));
    return error.reasonCode;
  }
}

describe("each property in each packet, as table 2-4 of 5.0 has it", () => {
  for (const place of Object.keys(FRAMES)) {
    test(`${place} takes its own and answers 0x82 to the others - attack PARSE-06`, () => {
      for (const [identifier, value, places] of TABLE) {
        const expected = places.split(" ").includes(place) ? 0 : 0x82;
        assert.equal(verdict(place, byte(identifier) + value), expected, `property ${byte(identifier)}`);
      }
    });

    test(`${place} answers 0x82 to a property twice, User Property apart - attack PARSE-06`, () => {
      for (const [identifier, value, places] of TABLE) {
        if (!places.split(" ").includes(place)) continue;
        const repeatable = identifier === 0x26 || (identifier === 0x0b && place === "PUBLISH");
        const twice = (byte(identifier) + value).repeat(2);
        assert.equal(verdict(place, twice), repeatable ? 0 : 0x82, `property ${byte(identifier)}`);
      }
    });

    test(`${place} answers 0x81 to unknown identifiers and to those not in their shortest form - attack PARSE-07`, () => {
      const known = new Set(TABLE.map(([identifier]) => identifier));
      for (let identifier = 0; identifier < 256; identifier++) {
        if (!known.has(identifier))
          assert.equal(verdict(place, byte(identifier) + "00"), 0x81, byte(identifier));
      }
      for (const [identifier, value] of TABLE) {
        for (const end of ["00", "8000", "808000", "80808000"])
          assert.equal(verdict(place, `${byte(identifier | 0x80)} ${end} ${value}`), 0x81, byte(identifier));
      }
      // Well-formed, and above all that there are.
      for (const above of ["8001", "ff7f", "ffffff7f"])
        assert.equal(verdict(place, `${above} 00`), 0x81, above);
    });

    test(`${place} answers 0x81 when a property ends behind the Property Length - attack PARSE-05`, () => {
      for (const [identifier, value, places] of TABLE) {
        if (!places.split(" ").includes(place)) continue;
        const whole = bytes(byte(identifier) + value);
        for (let length = 1; length < whole.length; length++) {
          const cut = Buffer.from(whole.subarray(0, length)).toString("hex");
          assert.equal(verdict(place, cut), 0x81, `${cut} of property ${byte(identifier)}`);
        }
      }
    });
  }
});

describe("values out of range", () => {
  const cases: readonly [name: string, place: string, properties: string, reasonCode: number][] = [
    ["Receive Maximum 0", "CONNECT", "21 0000", 0x82],
    ["Receive Maximum 0", "CONNACK", "21 0000", 0x82],
    ["Maximum Packet Size 0", "CONNECT", "27 00000000", 0x82],
    ["Maximum Packet Size 0", "CONNACK", "27 00000000", 0x82],
    ["Request Response Information 2", "CONNECT", "19 02", 0x82],
    ["Request Problem Information 2", "CONNECT", "17 02", 0x82],
    ["Maximum QoS 2", "CONNACK", "24 02", 0x82],
    ["Retain Available 2", "CONNACK", "25 02", 0x82],
    ["Wildcard Subscription Available 2", "CONNACK", "28 02", 0x82],
    ["Subscription Identifiers Available 2", "CONNACK", "29 02", 0x82],
    ["Shared Subscription Available 2", "CONNACK", "2a 02", 0x82],
    ["Subscription Identifier 0", "SUBSCRIBE", "0b 00", 0x82],
    ["Subscription Identifier 0", "PUBLISH", "0b 00", 0x82],
    ["Subscription Identifier of five bytes", "SUBSCRIBE", "0b 8080808001", 0x81],
    ["Subscription Identifier not in its shortest form", "SUBSCRIBE", "0b 8100", 0x81],
    ["Topic Alias 0", "PUBLISH", "23 0000", 0x94],
    ["Payload Format Indicator 2", "PUBLISH", "01 02", 0x82],
    ["Payload Format Indicator 2", "W", "01 02", 0x82],
    ["an empty Response Topic", "PUBLISH", "08 0000", 0x82],
    ["+ in the Response Topic", "PUBLISH", `08 0003 "a/+"`, 0x82],
    ["# in the Response Topic", "W", `08 0001 "#"`, 0x82],
    ["ill-formed UTF-8 in a Content Type", "PUBLISH", "03 0001 ff", 0x81],
    ["ill-formed UTF-8 in a Response Topic", "W", "08 0002 c0af", 0x81],
    ["U+0000 in the name of a User Property", "PUBLISH", "26 0001 00 0000", 0x81],
    ["ill-formed UTF-8 in the value of a User Property", "PUBLISH", "26 0000 0001 80", 0x81],
    ["a User Property without value", "DISCONNECT", "26 0001 61", 0x81],
  ];
  for (const [name, place, properties, reasonCode] of cases) {
    const answer = `0x${reasonCode.toString(16)}`;
    test(`${name} in ${place === "W" ? "the Will" : place} is answered with ${answer}`, () => {
      assert.equal(verdict(place, properties), reasonCode);
    });
  }

  test("Authentication Data without Authentication Method is answered with 0x82", () => {
    const connect = bytes(`10 11 0004 "MQTT" 05 02 0000 04 16 0001 00 0000`);
    assert.throws(() => readPacket(connect, 5), { reasonCode: 0x82 });
  });

  test("a Subscription Identifier in a PUBLISH of a client is answered with 0x82 - 5.0 [MQTT-3.3.4-6]", () => {
    assert.throws(() => readPacket(bytes(`30 06 0001 "a" 02 0b 01`), 5, "server"), { reasonCode: 0x82 });
  });

  test("a Session Expiry Interval in a DISCONNECT of a server is answered with 0x82 - 5.0 [MQTT-3.14.2-2]", () => {
    assert.throws(() => readPacket(bytes("e0 07 00 05 11 00000001"), 5, "client"), { reasonCode: 0x82 });
  });
});

test("packet names are the standard's", () => {
  assert.equal(packetName(1), "CONNECT");
  assert.equal(packetName(15), "AUTH");
});
