// MQTT 3.1, 3.1.1 and 5.0 control packets: bytes to packets and back. The public names.
export { copyOf } from "./bytes.ts";
export {
  MalformedPacketError,
  PacketError,
  PacketTooLargeError,
  ProtocolError,
  QuotaExceededError,
  UnsupportedProtocolError,
  UsageError,
} from "./errors.ts";
export { readForwardedProperties, writeForwardedProperties } from "./forwarded.ts";
export type { ForwardedProperties } from "./forwarded.ts";
export { PacketReader, readPacket } from "./packet-reader.ts";
export type { PacketReaderOptions } from "./packet-reader.ts";
export { writeAck } from "./packet/ack.ts";
export type { Ack, AckType, ReasonProperties } from "./packet/ack.ts";
export type { Auth, AuthProperties } from "./packet/auth.ts";
export type { Connack, ConnackProperties } from "./packet/connack.ts";
export type { Connect, ConnectProperties, Will } from "./packet/connect.ts";
export type { Disconnect, DisconnectProperties } from "./packet/disconnect.ts";
export { PINGREQ, PINGRESP } from "./packet/ping.ts";
export type { Pingreq, Pingresp } from "./packet/ping.ts";
export { createPublish, Publish, publishSize, writePublish } from "./packet/publish.ts";
export type { PublishFields, PublishInit } from "./packet/publish.ts";
export type { Suback } from "./packet/suback.ts";
export type { RetainHandling, Subscribe, SubscribeProperties, Subscription } from "./packet/subscribe.ts";
export type { Unsuback } from "./packet/unsuback.ts";
export type { Unsubscribe, UnsubscribeProperties } from "./packet/unsubscribe.ts";
export { encodePacket, packetSize, writePacket } from "./packets.ts";
export type { Packet } from "./packets.ts";
export type { Properties, UserProperties } from "./properties.ts";
export { packetName, PacketType } from "./protocol.ts";
export type { ProtocolVersion, QoS, Side } from "./protocol.ts";
export { connectReturnCode, ConnectReturnCode, ReasonCode, reasonCodeName } from "./reason-codes.ts";
export { decodeUtf8, packBytes, unpackBytes } from "./text.ts";
export { scanUtf8, utf8Length } from "./utf8.ts";
export { Writer } from "./writer.ts";
