// The suite's own reader has to notice what a broker does wrong, whatever a case is about.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@heirloom/conformance";

function bytes(digits: string): Uint8Array {
  return Buffer.from(digits.replaceAll(" ", ""), "hex");
}

const wrong = [
  ["3.1.1", "21 02 00 00", /reserved/, "CONNACK with flags"],
  ["3.1.1", "20 02 02 00", /reserved/, "CONNACK with a reserved acknowledge flag"],
  ["3.1.1", "20 02 01 05", /Session Present/, "a refusal with Session Present"],
  ["3.1.1", "20 02 00 87", /return code/, "a Reason Code of 5.0 in 3.1.1"],
  ["3.1", "20 02 02 00", /reserved/, "CONNACK with a reserved acknowledge flag"],
  ["3.1.1", "60 02 00 01", /reserved/, "PUBREL without its flags"],
  ["3.1.1", "40 02 00 00", /Identifier is 0/, "PUBACK of identifier 0"],
  ["3.1.1", "40 03 00 01 00", /follow the last field/, "PUBACK with a Reason Code in 3.1.1"],
  ["3.1.1", "36 05 00 01 61 00 01", /QoS 3/, "PUBLISH of QoS 3"],
  ["3.1.1", "38 03 00 01 61", /DUP/, "DUP at QoS 0"],
  ["3.1.1", "30 03 00 01 23", /wildcards/, "PUBLISH to a topic with a wildcard"],
  ["3.1.1", "30 03 00 01 00", /U\+0000/, "PUBLISH to a topic with U+0000"],
  ["3.1.1", "90 03 00 01 03", /does not exist/, "SUBACK with code 3"],
  ["3.1.1", "e0 00", /does not exist/, "DISCONNECT from a server of 3.1.1"],
  ["5.0", "20 02 00 00", /ends early/, "CONNACK without Property Length"],
  ["5.0", "20 03 00 01 00", /table/, "CONNACK with a Reason Code of 3.1.1"],
  ["5.0", "20 06 00 00 03 21 00", undefined, "an incomplete CONNACK"],
  ["5.0", "20 09 00 00 06 21 00 05 21 00 05", /twice/, "CONNACK with a property twice"],
  ["5.0", "20 06 00 00 03 23 00 05", /does not belong/, "CONNACK with a Topic Alias"],
  ["5.0", "20 04 00 00 80 00", /longer than it has to be/, "Property Length in a longer form"],
  ["5.0", "d0 80 00", /longer than it has to be/, "Remaining Length in a longer form"],
  ["5.0", "e0 07 00 05 11 00 00 00 01", /MQTT-3.14.2-2/, "DISCONNECT with a Session Expiry Interval"],
  ["5.0", "f0 01 19", /table/, "AUTH 0x19 from a server"],
  ["5.0", "c0 00", /no packet of a server/, "PINGREQ from a server"],
] as const;

for (const [version, digits, message, what] of wrong) {
  test(`${version}: ${what} is ${message === undefined ? "not taken yet" : "a fault of the broker"}`, () => {
    if (message === undefined) assert.equal(parse(bytes(digits), version), undefined);
    else assert.throws(() => parse(bytes(digits), version), message);
  });
}

test("two packets in one buffer are read one after the other", () => {
  const both = bytes("90 04 00 07 00 01 d0 00");
  const first = parse(both, "5.0");
  assert.ok(first !== undefined);
  assert.deepEqual(first.packet, { name: "SUBACK", size: 6, packetId: 7, properties: {}, reasonCodes: [1] });
  assert.deepEqual(parse(both.subarray(first.size), "5.0")?.packet, { name: "PINGRESP", size: 2 });
});

test("U+FEFF is kept and every property of a PUBLISH is read", () => {
  const packet = parse(bytes("30 0f 00 04 ef bb bf 61 08 01 01 23 00 02 0b 80 01"), "5.0")?.packet;
  assert.equal(packet?.name, "PUBLISH");
  assert.deepEqual(packet.topic, "\ufeffa");
  assert.deepEqual(packet.properties, {
    payloadFormatIndicator: 1,
    topicAlias: 2,
    subscriptionIdentifiers: [128],
  });
});
