// Micro-benchmark cases for the PUBLISH packets of @heirloom/codec.
import { PacketReader, Writer, encodePacket, writeForwardedProperties, writePublish } from "@heirloom/codec";

/** @typedef {import("../micro.mjs").MicroCase} MicroCase */

// 32 KiB at most: within the buffer that a Writer keeps from turn to turn.
const perStep = 200;
const payload = new Uint8Array(64).fill(0x61);
const twoUserProperties = writeForwardedProperties({
  userProperties: [
    ["name-0", "value-0-0123456"],
    ["name-1", "value-1-0123456"],
  ],
});

/** A PUBLISH as `writePublish` takes it: 64 bytes to a topic of 20 characters. */
function publishFields(qos, forwarded) {
  return {
    topicName: "load/0a1b2c/00000001",
    qos,
    dup: false,
    retain: false,
    packetId: qos === 0 ? 0 : 7,
    topicAlias: 0,
    messageExpiryInterval: -1,
    subscriptionIdentifiers: [],
    forwarded,
    source: payload,
    payloadStart: 0,
    payloadEnd: payload.length,
  };
}

/**
 * Decodes as a server does: `perStep` packets that came with one read.
 *
 * @returns {MicroCase}
 */
function decode(name, version, qos, forwarded, targetNs) {
  return {
    name: `decode PUBLISH ${name}`,
    targetNs,
    prepare() {
      const writer = new Writer();
      for (let count = 0; count < perStep; count++)
        writePublish(writer, publishFields(qos, forwarded), version);
      const chunk = writer.take();
      const reader = new PacketReader({ side: "server" });
      reader.push(connect(version));
      reader.next();
      const step = () => {
        reader.push(chunk);
        let packets = 0;
        while (reader.next() !== undefined) packets++;
        if (packets !== perStep) throw new Error(`decoded ${packets} of ${perStep} packets`);
        return packets;
      };
      return { step };
    },
  };
}

/**
 * Encodes `perStep` packets into one buffer, as a turn of the broker does for one connection.
 *
 * @returns {MicroCase}
 */
function encode(name, version, qos, forwarded) {
  return {
    name: `encode PUBLISH ${name}`,
    prepare() {
      const writer = new Writer();
      const fields = publishFields(qos, forwarded);
      const step = () => {
        writer.reset();
        for (let count = 0; count < perStep; count++) writePublish(writer, fields, version);
        return perStep;
      };
      return { step };
    },
  };
}

function connect(protocolVersion) {
  const packet = {
    type: 1,
    protocolVersion,
    clientId: "bench",
    cleanStart: true,
    keepAlive: 60,
    properties: {},
  };
  return encodePacket(packet, protocolVersion);
}

const none = new Uint8Array(0);

/** @type {MicroCase[]} */
export const codecCases = [
  decode("3.1.1 QoS 0", 4, 0, none, 150),
  decode("3.1.1 QoS 1", 4, 1, none),
  decode("5.0 QoS 0 with 2 user properties", 5, 0, twoUserProperties),
  encode("3.1.1 QoS 0", 4, 0, none),
  encode("3.1.1 QoS 1", 4, 1, none),
  encode("5.0 QoS 0 with 2 user properties", 5, 0, twoUserProperties),
];
