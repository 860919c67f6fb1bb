// What the standards call malformed or a protocol error, in every version, with the reason code it gets.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PacketError, readPacket, UnsupportedProtocolError } from "@heirloom/codec";
import type { ProtocolVersion, Side } from "@heirloom/codec";
import { bytes, hexOf } from "./helpers.ts";

type Refusal = readonly [name: string, versions: string, hex: string, reasonCode: number, side?: Side];

function reasonCodeOf(data: Uint8Array, version: ProtocolVersion, side?: Side): number {
  try {
    readPacket(data, version, side);
    return 0;
  } catch (error) {
    assert(error instanceof PacketError, String(error));
    return error.reasonCode;
  }
}

function versionsOf(text: string): ProtocolVersion[] {
  return ([3, 4, 5] as const).filter((version) => text.includes(String(version)));
}

const fixedHeader: readonly Refusal[] = [
  ["type 0", "345", "00 00", 0x81],
  ["AUTH before 5.0 - 3.1.1 [MQTT-2.2.2-1]", "34", "f0 00", 0x81],
  ["QoS 3 - 5.0 [MQTT-3.3.1-4], 3.1.1 [MQTT-3.3.1-4]", "345", "36 05 0001 61 0001", 0x81],
  ["DUP at QoS 0 - 5.0 [MQTT-3.3.1-2], 3.1.1 [MQTT-3.3.1-2]", "45", "38 04 0001 61 00", 0x81],
  ["PUBREL with flags 0 - 5.0 [MQTT-3.6.1-1], 3.1.1 [MQTT-3.6.1-1]", "345", "60 02 0001", 0x81],
  ["PUBREL with DUP", "45", "6a 02 0001", 0x81],
  ["SUBSCRIBE with flags 0 - 5.0 [MQTT-3.8.1-1], 3.1.1 [MQTT-3.8.1-1]", "34", "80 06 0001 0001 61 00", 0x81],
  ["SUBSCRIBE with DUP", "4", "8a 06 0001 0001 61 00", 0x81],
  ["UNSUBSCRIBE with flags 0 - 5.0 [MQTT-3.10.1-1], 3.1.1 [MQTT-3.10.1-1]", "34", "a0 05 0001 0001 61", 0x81],
  ["PUBACK with a flag", "345", "41 02 0001", 0x81],
  ["PINGREQ with a flag", "345", "c8 00", 0x81],
  ["DISCONNECT with a flag - 5.0 [MQTT-3.14.1-1], 3.1.1 [MQTT-3.14.1-1]", "345", "e1 00", 0x81],
  ["AUTH with a flag - 5.0 [MQTT-3.15.1-1]", "5", "f2 00", 0x81],
];

const lengths: readonly Refusal[] = [
  ["PINGREQ with a body", "345", "c0 01 00", 0x81],
  ["PINGRESP with a body", "345", "d0 01 00", 0x81],
  ["PUBLISH without topic length", "345", "30 01 00", 0x81],
  ["PUBLISH whose topic is longer than the packet", "345", "30 03 0005 61", 0x81],
  ["PUBLISH without room for its packet identifier", "345", "32 04 0001 61 01", 0x81],
  ["PUBLISH whose properties are longer than the packet", "5", "30 05 0001 61 02 00", 0x81],
  ["PUBLISH without Property Length", "5", "30 03 0001 61", 0x81],
  ["PUBACK without packet identifier", "345", "40 01 00", 0x81],
  ["PUBACK with more than the packet identifier", "34", "40 03 0001 00", 0x81],
  ["PUBACK with bytes behind its properties", "5", "40 05 0001 00 00 00", 0x81],
  ["SUBSCRIBE that ends inside a filter", "34", "82 05 0001 0002 61", 0x81],
  ["SUBSCRIBE without options", "34", "82 05 0001 0001 61", 0x81],
  ["UNSUBSCRIBE that ends inside a filter", "34", "a2 03 0001 00", 0x81],
  ["UNSUBACK with a body before 5.0", "34", "b0 03 0001 00", 0x81],
  ["SUBACK without codes", "34", "90 02 0001", 0x81],
  ["SUBACK without codes", "5", "90 03 0001 00", 0x81],
  ["UNSUBACK without codes", "5", "b0 03 0001 00", 0x81],
  ["DISCONNECT with a body before 5.0", "34", "e0 01 00", 0x81],
  ["DISCONNECT with bytes behind its properties", "5", "e0 03 00 00 00", 0x81],
  ["AUTH without Property Length", "5", "f0 01 18", 0x81],
  ["CONNACK of one byte", "345", "20 01 00", 0x81],
  ["CONNACK without Property Length", "5", "20 02 00 00", 0x81],
  ["CONNACK with bytes behind its end", "4", "20 03 00 00 00", 0x81],
];

const contents: readonly Refusal[] = [
  ["PUBLISH without topic - 3.1.1 [MQTT-4.7.3-1]", "34", "30 02 0000", 0x81],
  ["PUBLISH without topic and alias", "5", "30 03 0000 00", 0x82],
  [
    "packet identifier 0 in PUBLISH - 5.0 [MQTT-2.2.1-3], 3.1.1 [MQTT-2.3.1-1]",
    "34",
    "32 05 0001 61 0000",
    0x81,
  ],
  ["packet identifier 0 in PUBLISH - 5.0 [MQTT-2.2.1-3]", "5", "34 06 0001 61 0000 00", 0x81],
  ["packet identifier 0 in PUBACK", "345", "40 02 0000", 0x81],
  ["packet identifier 0 in PUBREC", "345", "50 02 0000", 0x81],
  ["packet identifier 0 in PUBREL", "345", "62 02 0000", 0x81],
  ["packet identifier 0 in PUBCOMP", "345", "70 02 0000", 0x81],
  ["packet identifier 0 in SUBSCRIBE", "34", "82 06 0000 0001 61 00", 0x81],
  ["packet identifier 0 in SUBSCRIBE", "5", "82 07 0000 00 0001 61 00", 0x81],
  ["packet identifier 0 in UNSUBSCRIBE", "34", "a2 05 0000 0001 61", 0x81],
  ["SUBSCRIBE without filter - 3.1.1 [MQTT-3.8.3-3]", "34", "82 02 0001", 0x82],
  ["SUBSCRIBE without filter - 5.0 [MQTT-3.8.3-2]", "5", "82 03 0001 00", 0x82],
  ["UNSUBSCRIBE without filter - 3.1.1 [MQTT-3.10.3-2]", "34", "a2 02 0001", 0x82],
  ["UNSUBSCRIBE without filter - 5.0 [MQTT-3.10.3-2]", "5", "a2 03 0001 00", 0x82],
  ["an empty filter in SUBSCRIBE", "34", "82 05 0001 0000 00", 0x82],
  ["an empty filter in UNSUBSCRIBE", "5", "a2 05 0001 00 0000", 0x82],
  ["a code of another packet in PUBACK", "5", "40 03 0001 92", 0x81],
  ["a code of another packet in PUBREL", "5", "62 03 0001 10", 0x81],
  ["a code of another packet in SUBACK", "5", "90 04 0001 00 11", 0x81],
  ["QoS 3 granted in SUBACK - 3.1.1 [MQTT-3.9.3-2]", "4", "90 03 0001 03", 0x81],
  ["a code of another packet in UNSUBACK", "5", "b0 04 0001 00 01", 0x81],
  ["a reserved code in DISCONNECT - 5.0 [MQTT-3.14.2-1]", "5", "e0 02 ff 00", 0x81],
  ["a code of CONNACK in DISCONNECT", "5", "e0 01 84", 0x81],
  ["a code of another packet in AUTH - 5.0 [MQTT-3.15.2-1]", "5", "f0 02 10 00", 0x81],
  ["AUTH without method", "5", "f0 02 18 00", 0x82],
  ["reserved acknowledge flags - 5.0 [MQTT-3.2.2-1]", "45", "20 03 02 00 00", 0x81],
  ["return code 6 in CONNACK", "34", "20 02 00 06", 0x81],
  ["a success of another packet in CONNACK", "5", "20 03 00 01 00", 0x81],
];

for (const [title, table] of Object.entries({ "the fixed header": fixedHeader, lengths, contents })) {
  describe(`refuses in ${title}`, () => {
    for (const [name, versions, hex, reasonCode, side] of table) {
      for (const version of versionsOf(versions)) {
        test(`${name}, version ${String(version)}, with 0x${reasonCode.toString(16)}`, () => {
          assert.equal(reasonCodeOf(bytes(hex), version, side), reasonCode);
        });
      }
    }
  });
}

describe("3.1 lets pass", () => {
  for (const [name, hex] of [
    ["DUP on PUBREL", "6a 02 0001"],
    ["DUP on SUBSCRIBE", "8a 06 0001 0001 61 00"],
    ["DUP on UNSUBSCRIBE", "aa 05 0001 0001 61"],
    ["DUP at QoS 0", "38 03 0001 61"],
  ] as const) {
    test(name, () => {
      assert.equal(reasonCodeOf(bytes(hex), 3), 0);
      assert.equal(reasonCodeOf(bytes(hex), 4), 0x81);
    });
  }

  test("a flagged user name and password that are missing at the end", () => {
    const level3 = bytes(`10 0f 0006 "MQIsdp" 03 c2 003c 0001 "a"`);
    const connect = readPacket(level3, 3);
    assert(connect.type === 1);
    assert.equal("username" in connect || "password" in connect, false);
    assert.equal(reasonCodeOf(bytes(`10 0d 0004 "MQTT" 04 c2 003c 0001 "a"`), 4), 0x81);
  });
});

describe("CONNECT", () => {
  const heads = { 3: `0006 "MQIsdp" 03`, 4: `0004 "MQTT" 04`, 5: `0004 "MQTT" 05` };

  function connect(version: ProtocolVersion, flags: number, tail: string): Uint8Array {
    const properties = version === 5 ? "00" : "";
    const flagsByte = flags.toString(16).padStart(2, "0");
    const body = bytes(`${heads[version]} ${flagsByte} 0000 ${properties} ${tail}`);
    return Uint8Array.of(0x10, body.length, ...body);
  }

  // The payload that the flags ask for, so that only the flags themselves can be wrong.
  function tailOf(version: ProtocolVersion, flags: number): string {
    let tail = `0001 "a"`;
    if ((flags & 0x04) !== 0) tail += `${version === 5 ? "00" : ""} 0001 "w" 0000`;
    if ((flags & 0x80) !== 0) tail += `0001 "u"`;
    if ((flags & 0x40) !== 0) tail += `0001 "p"`;
    return tail;
  }

  for (const version of [3, 4, 5] as const) {
    test(`judges all 256 connect flags of version ${String(version)} - 5.0 [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-12], [MQTT-3.1.2-13], 3.1.1 [MQTT-3.1.2-3], [MQTT-3.1.2-22] - attack PARSE-09`, () => {
      for (let flags = 0; flags < 256; flags++) {
        const will = (flags & 0x04) !== 0;
        const legal =
          (flags & 0x01) === 0 &&
          (flags & 0x18) !== 0x18 &&
          (will || (flags & 0x38) === 0) &&
          (version === 5 || (flags & 0xc0) !== 0x40);
        const expected = legal ? 0 : 0x81;
        assert.equal(
          reasonCodeOf(connect(version, flags, tailOf(version, flags)), version),
          expected,
          `flags ${String(flags)}`,
        );
      }
    });
  }

  test("is refused when its payload is cut or goes on - 5.0 [MQTT-4.13.1-1] - attack PARSE-04", () => {
    for (const version of [4, 5] as const) {
      const whole = bytes(tailOf(version, 0xc6));
      for (let length = 0; length < whole.length; length++) {
        assert.equal(reasonCodeOf(connect(version, 0xc6, hexOf(whole.subarray(0, length))), version), 0x81);
      }
      assert.equal(reasonCodeOf(connect(version, 0xc6, `${hexOf(whole)} 00`), version), 0x81);
    }
  });

  test("is refused without a will topic", () => {
    assert.equal(reasonCodeOf(connect(4, 0x06, `0001 "a" 0000 0000`), 4), 0x81);
    assert.equal(reasonCodeOf(connect(5, 0x06, `0001 "a" 00 0000 0000`), 5), 0x82);
  });

  test("of another protocol or level is told apart, and its rest is not read - 3.1.1 [MQTT-3.1.2-1], [MQTT-3.1.2-2]", () => {
    const others: [name: string, level: number][] = [
      ...[0, 1, 2, 3, 6, 0x83, 0x84, 255].map((level): [string, number] => ["MQTT", level]),
      ...[0, 4, 5, 0x83].map((level): [string, number] => ["MQIsdp", level]),
      ["mqtt", 4],
      ["", 4],
    ];
    for (const [protocolName, level] of others) {
      const body = [0, protocolName.length, ...Buffer.from(protocolName), level, 0xff];
      assert.throws(
        () => readPacket(Uint8Array.of(0x10, body.length, ...body), 4),
        (error) =>
          error instanceof UnsupportedProtocolError &&
          error.code === "UNSUPPORTED_PROTOCOL" &&
          error.reasonCode === 0x84 &&
          error.protocolName === protocolName &&
          error.level === level,
      );
    }
  });
});

test("judges all 256 option bytes of SUBSCRIBE - 5.0 [MQTT-3.8.3-5], 3.1.1 [MQTT-3.8.3-4] - attack PARSE-17", () => {
  for (let options = 0; options < 256; options++) {
    const qos3 = (options & 3) === 3;
    const expected5 = options > 0x3f ? 0x81 : qos3 || options >> 4 === 3 ? 0x82 : 0;
    const expected4 = options > 3 ? 0x81 : qos3 ? 0x82 : 0;
    assert.equal(
      reasonCodeOf(Uint8Array.of(0x82, 7, 0, 1, 0, 0, 1, 0x61, options), 5),
      expected5,
      `options ${String(options)}`,
    );
    assert.equal(
      reasonCodeOf(Uint8Array.of(0x82, 6, 0, 1, 0, 1, 0x61, options), 4),
      expected4,
      `options ${String(options)}`,
    );
  }
});

describe("ill-formed UTF-8 is refused - 5.0 [MQTT-1.5.4-1], [MQTT-1.5.4-2], 3.1.1 [MQTT-1.5.3-1], [MQTT-1.5.3-2]", () => {
  const ill = [
    "c0af",
    "c080",
    "e08080",
    "f0808080",
    "eda080",
    "edbfbf",
    "00",
    "6100",
    "f4908080",
    "e282",
    "80",
    "ff",
  ];
  const names = { 3: `0006 "MQIsdp" 03`, 4: `0004 "MQTT" 04`, 5: `0004 "MQTT" 05` };
  const fields: Record<string, (text: string, version: ProtocolVersion, none: string) => string> = {
    "protocol name": (text, version, none) => `${text} 0${version} 02 0000 ${none} 0000`,
    "client identifier": (text, version, none) => `${names[version]} 02 0000 ${none} ${text}`,
    "will topic": (text, version, none) => `${names[version]} 06 0000 ${none} 0001 "c" ${none} ${text} 0000`,
    "user name": (text, version, none) => `${names[version]} 82 0000 ${none} 0001 "c" ${text}`,
  };
  for (const [field, body] of Object.entries(fields)) {
    test(`in the ${field} - attack PARSE-13`, () => {
      for (const version of [3, 4, 5] as const) {
        const read = (text: string): number => {
          const data = bytes(body(`00${byte(text.length / 2)} ${text}`, version, version === 5 ? "00" : ""));
          return reasonCodeOf(Uint8Array.of(0x10, data.length, ...data), version);
        };
        for (const text of ill) assert.equal(read(text), 0x81, text);
        // The same packet with a good text; as protocol name it is none that is known.
        assert.equal(read("efbbbf61"), field === "protocol name" ? 0x84 : 0, "well-formed");
      }
    });
  }

  test("in topic names and filters - attack PARSE-13", () => {
    for (const version of [3, 4, 5] as const) {
      const none = version === 5 ? [0] : [];
      for (const text of [...ill, "61"]) {
        const expected = text === "61" ? 0 : 0x81;
        const field = bytes(`00${byte(text.length / 2)} ${text}`);
        for (const [first, body] of [
          [0x30, [...field, ...none]],
          [0x82, [0, 1, ...none, ...field, 0]],
          [0xa2, [0, 1, ...none, ...field]],
        ] as const)
          assert.equal(reasonCodeOf(Uint8Array.of(first, body.length, ...body), version), expected, text);
      }
    }
  });

  test("in each text among the properties of 5.0 - attack PARSE-13", () => {
    const inFrames: Record<string, (text: string) => string> = {
      "Content Type": (text) => `30 ${around(`0001 "a"`, `03 ${text}`)}`,
      "Response Topic": (text) => `30 ${around(`0001 "a"`, `08 ${text}`)}`,
      "the name of a User Property": (text) => `30 ${around(`0001 "a"`, `26 ${text} 0001 "v"`)}`,
      "the value of a User Property": (text) => `30 ${around(`0001 "a"`, `26 0001 "k" ${text}`)}`,
      "a Reason String": (text) => `40 ${around("0001 00", `1f ${text}`)}`,
      "an Authentication Method": (text) => `f0 ${around("18", `15 ${text}`)}`,
    };
    for (const [field, packet] of Object.entries(inFrames)) {
      for (const text of [...ill, "61"]) {
        const data = bytes(packet(`00${byte(text.length / 2)} ${text}`));
        assert.equal(reasonCodeOf(data, 5), text === "61" ? 0 : 0x81, `${text} in ${field}`);
      }
    }
  });

  /** Remaining Length, what stands before the properties, their length and they. */
  function around(before: string, properties: string): string {
    const length = bytes(properties).length;
    return `${byte(bytes(before).length + 1 + length)} ${before} ${byte(length)} ${properties}`;
  }

  function byte(value: number): string {
    return value.toString(16).padStart(2, "0");
  }
});

test("messages say what was seen, and never a password", () => {
  const connect = bytes(`10 18 0004 "MQTT" 04 c2 0000 0000 0001 "u" 0006 "secret" 00`);
  assert.throws(
    () => readPacket(connect, 4),
    (error) =>
      error instanceof PacketError && error.message.includes("CONNECT") && !error.message.includes("secret"),
  );
});
