// Any packet, any slicing, any bytes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  createPublish,
  encodePacket,
  PacketError,
  PacketReader,
  packetSize,
  Publish,
  publishSize,
  ReasonCode,
  writeForwardedProperties,
} from "@heirloom/codec";
import type { Packet, ProtocolVersion, Properties, Side, Will } from "@heirloom/codec";
import { bytes, plain, readAll } from "./helpers.ts";
import { vectors } from "./vectors.ts";

const anyVersion = fc.constantFrom<ProtocolVersion>(3, 4, 5);
const qos = fc.constantFrom(0, 1, 2);
// All code points but surrogates.
const text = fc.string({ unit: "binary", maxLength: 40 }).filter((value) => !value.includes("\0"));
const topic = text.filter((value) => value !== "");
const plainTopic = topic.filter((value) => !/[+#]/.test(value));
const binary = fc.uint8Array({ maxLength: 200 });
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const packetId = fc.integer({ min: 1, max: 0xffff });
const identifier = fc.integer({ min: 1, max: 268_435_455 });
const userProperties = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 });
const reason = fc.record({ reasonString: text, userProperties }, { requiredKeys: [] });

// Absent when there is none, as readers have it.
function orAbsent(properties: Properties): { properties?: Properties } {
  return Object.keys(properties).length === 0 ? {} : { properties };
}

const authentication = fc.oneof(
  fc.constant({}),
  fc.record(
    { authenticationMethod: text, authenticationData: binary },
    { requiredKeys: ["authenticationMethod"] },
  ),
);

const connectProperties = fc
  .tuple(
    fc.record(
      {
        sessionExpiryInterval: u32,
        receiveMaximum: packetId,
        maximumPacketSize: u32.filter((value) => value > 0),
        topicAliasMaximum: u16,
        requestResponseInformation: fc.boolean(),
        requestProblemInformation: fc.boolean(),
        userProperties,
      },
      { requiredKeys: [] },
    ),
    authentication,
  )
  .map(([rest, method]): Properties => ({ ...rest, ...method }));

const connackProperties = fc
  .tuple(
    fc.record(
      {
        sessionExpiryInterval: u32,
        receiveMaximum: packetId,
        maximumQoS: fc.constantFrom(0, 1),
        retainAvailable: fc.boolean(),
        maximumPacketSize: u32.filter((value) => value > 0),
        assignedClientIdentifier: text,
        topicAliasMaximum: u16,
        reasonString: text,
        userProperties,
        wildcardSubscriptionAvailable: fc.boolean(),
        subscriptionIdentifiersAvailable: fc.boolean(),
        sharedSubscriptionAvailable: fc.boolean(),
        serverKeepAlive: u16,
        responseInformation: text,
        serverReference: text,
      },
      { requiredKeys: [] },
    ),
    authentication,
  )
  .map(([rest, method]): Properties => ({ ...rest, ...method }));

const forwarded = fc
  .record(
    {
      payloadFormatIndicator: fc.constantFrom(0, 1),
      contentType: text,
      responseTopic: plainTopic,
      correlationData: binary,
      userProperties,
    },
    { requiredKeys: [] },
  )
  .map(writeForwardedProperties);
const expiry = fc.oneof(fc.constant(-1), u32);
const nothing = new Uint8Array(0);

function will(version: ProtocolVersion): fc.Arbitrary<Will> {
  const five = version === 5;
  return fc.record({
    topicName: topic,
    payload: binary,
    qos,
    retain: fc.boolean(),
    willDelayInterval: five ? u32 : fc.constant(0),
    messageExpiryInterval: five ? expiry : fc.constant(-1),
    forwarded: five ? forwarded : fc.constant(nothing),
  });
}

function connect(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const login = fc.record({ username: text, password: binary, will: will(version) }, { requiredKeys: [] });
  return fc
    .tuple(login, text, fc.boolean(), u16, version === 5 ? connectProperties : fc.constant({}))
    .filter(([{ username, password }]) => version === 5 || password === undefined || username !== undefined)
    .map(([optional, clientId, cleanStart, keepAlive, properties]) => ({
      ...{ type: 1, protocolVersion: version, clientId, cleanStart, keepAlive, properties },
      ...optional,
    }));
}

function publish(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const five = version === 5;
  return fc
    .record({
      topicName: topic,
      payload: binary,
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId,
      topicAlias: five ? u16 : fc.constant(0),
      messageExpiryInterval: five ? expiry : fc.constant(-1),
      subscriptionIdentifiers: five ? fc.array(identifier, { maxLength: 3 }) : fc.constant([]),
      forwarded: five ? forwarded : fc.constant(nothing),
    })
    .map((init) => {
      const acknowledged = init.qos !== 0;
      return createPublish({
        ...init,
        dup: init.dup && acknowledged,
        packetId: acknowledged ? init.packetId : 0,
      });
    });
}

const allCodes = [...new Set(Object.values(ReasonCode))];
const ackCodes = { 4: [0, 0x10, 0x80, 0x99], 5: [0, 0x10, 0x97], 6: [0, 0x92], 7: [0, 0x92] } as const;

function ack(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .constantFrom(4 as const, 5 as const, 6 as const, 7 as const)
    .chain((type) =>
      fc
        .tuple(packetId, fc.constantFrom<number>(...ackCodes[type]), reason)
        .map(([id, reasonCode, properties]): Packet =>
          version === 5
            ? { type, packetId: id, reasonCode, ...orAbsent(properties) }
            : { type, packetId: id, reasonCode: 0 },
        ),
    );
}

function subscribing(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const five = version === 5;
  const flag = five ? fc.boolean() : fc.constant(false);
  const subscription = fc.record({
    topicFilter: topic,
    qos,
    noLocal: flag,
    retainAsPublished: flag,
    retainHandling: five ? qos : fc.constant(0 as const),
  });
  const properties = fc.record({ subscriptionIdentifier: identifier, userProperties }, { requiredKeys: [] });
  const user = fc.record({ userProperties }, { requiredKeys: [] });
  const subackCodes = five ? [0, 1, 2, 0x80, 0x8f, 0x97, 0xa2] : [0, 1, 2, 0x80];
  const codes = fc.array(fc.constantFrom(...subackCodes), { minLength: 1, maxLength: 5 });
  const unsubackCodes = fc.array(fc.constantFrom(0, 0x11, 0x87), { minLength: 1, maxLength: 5 });
  const filters = fc.array(topic, { minLength: 1, maxLength: 5 });
  return fc.oneof(
    fc.record({
      type: fc.constant(8 as const),
      packetId,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: five ? properties : fc.constant({}),
    }),
    fc.tuple(packetId, codes, reason).map(([id, reasonCodes, given]): Packet => ({
      type: 9,
      packetId: id,
      reasonCodes,
      ...(five ? orAbsent(given) : {}),
    })),
    fc.record({
      type: fc.constant(10 as const),
      packetId,
      topicFilters: filters,
      properties: five ? user : fc.constant({}),
    }),
    fc
      .tuple(packetId, unsubackCodes, reason)
      .map(([id, reasonCodes, given]): Packet =>
        five
          ? { type: 11, packetId: id, reasonCodes, ...orAbsent(given) }
          : { type: 11, packetId: id, reasonCodes: [] },
      ),
  );
}

function rest(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const pings = fc.constantFrom<Packet>({ type: 12 }, { type: 13 });
  if (version !== 5) {
    return fc.oneof(
      pings,
      fc.constant<Packet>({ type: 14, reasonCode: 0, properties: {} }),
      fc.tuple(fc.boolean(), fc.nat(5)).map(([present, code]): Packet => ({
        ...{ type: 2, reasonCode: code, properties: {} },
        sessionPresent: present && version === 4,
      })),
    );
  }
  const disconnectCodes = allCodes.filter((code) => code >= 0x8d && code !== 0x91 && code !== 0x92);
  const connackCodes = allCodes.filter((code) => code >= 0x80 && code <= 0x8a);
  return fc.oneof(
    pings,
    fc.record({
      type: fc.constant(2 as const),
      sessionPresent: fc.boolean(),
      reasonCode: fc.constantFrom(0, ...connackCodes),
      properties: connackProperties,
    }),
    fc.record({
      type: fc.constant(14 as const),
      reasonCode: fc.constantFrom(0, 4, ...disconnectCodes),
      properties: fc.record(
        { reasonString: text, serverReference: text, userProperties },
        { requiredKeys: [] },
      ),
    }),
    fc.record({
      type: fc.constant(15 as const),
      reasonCode: fc.constantFrom(0, 0x18, 0x19),
      properties: fc.record(
        { authenticationMethod: text, authenticationData: binary, reasonString: text, userProperties },
        { requiredKeys: ["authenticationMethod"] },
      ),
    }),
  );
}

function anyPacket(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc.oneof(connect(version), publish(version), ack(version), subscribing(version), rest(version));
}

/** Who may be sent this packet. */
function sideOf(packet: Packet, version: ProtocolVersion): Side {
  if (packet.type === 3) return packet.subscriptionIdentifiers.length > 0 ? "client" : "server";
  if (packet.type === 14) return "server";
  if (packet.type === 15) return version === 5 ? "client" : "server";
  return [2, 9, 11, 13].includes(packet.type) ? "client" : "server";
}

/** Cuts `data` at the positions that `cuts` name. */
function cutAt(data: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const positions = [...new Set(cuts.map((cut) => cut % (data.length + 1)))].sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const end of [...positions, data.length]) {
    pieces.push(data.slice(start, end));
    start = end;
  }
  return pieces;
}

for (const version of [3, 4, 5] as const) {
  test(`any packet of version ${String(version)} comes back as it was, in any slicing`, () => {
    fc.assert(
      fc.property(anyPacket(version), fc.array(fc.nat(), { maxLength: 6 }), (packet, cuts) => {
        const wire = encodePacket(packet, version);
        assert.equal(packetSize(packet, version), wire.length);
        if (packet instanceof Publish) assert.equal(publishSize(packet, version), wire.length);
        const { packets, error } = readAll(cutAt(wire, cuts), { side: sideOf(packet, version), version });
        assert.equal(error, undefined);
        // fast-check makes objects without a prototype; clones have one.
        assert.deepEqual(structuredClone(packets), [structuredClone(plain(packet))]);
      }),
      { numRuns: 1500 },
    );
  });
}

describe("any stream", () => {
  const wires = vectors.map(({ hex }) => bytes(hex));
  // Packets of the table, some with a byte changed, and noise between them.
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...wires) },
    {
      weight: 3,
      arbitrary: fc.tuple(fc.constantFrom(...wires), fc.nat(), fc.nat(255)).map(([wire, at, value]) => {
        const changed = wire.slice();
        changed[at % changed.length] = value;
        return changed;
      }),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  );
  const stream = fc
    .array(piece, { maxLength: 6 })
    .map((pieces) => Uint8Array.from(pieces.flatMap((part) => [...part])));
  const side = fc.constantFrom<Side>("server", "client");

  test("gives the same packets and the same error in any slicing - attack PARSE-20", () => {
    fc.assert(
      fc.property(
        stream,
        side,
        anyVersion,
        fc.array(fc.nat(), { maxLength: 8 }),
        (data, who, version, cuts) => {
          const options = { side: who, version, maximumPacketSize: 300 };
          const whole = readAll([data], options);
          const cut = readAll(cutAt(data, cuts), options);
          assert.deepEqual(cut.packets, whole.packets);
          assert.equal(String(cut.error), String(whole.error));
        },
      ),
      { numRuns: 4000 },
    );
  });

  test("gives packets that can be written again, or one PacketError, and then holds nothing - attack PARSE-21", () => {
    fc.assert(
      fc.property(stream, side, anyVersion, (data, who, version) => {
        const reader = new PacketReader({ side: who, version });
        reader.push(data);
        try {
          for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
            const of = packet.type === 1 ? packet.protocolVersion : version;
            const again = readAll([encodePacket(packet, of)], { side: who, version });
            assert.deepEqual(again, { packets: [plain(packet)] });
          }
        } catch (error) {
          assert(error instanceof PacketError, String(error));
          assert(error.reasonCode >= 0x80);
          assert.equal(reader.bufferedBytes, 0);
        }
      }),
      { numRuns: 4000 },
    );
  });
});
