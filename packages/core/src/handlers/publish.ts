// PUBLISH from a client: what is wrong with it, may it, is it new; then it is accepted and acknowledged.
// MQTT 5.0 sections 3.3 and 4.3; 3.1.1 sections 3.3 and 4.3.

import { PacketType, type Publish, readForwardedProperties, ReasonCode, scanUtf8 } from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import { topicFault } from "../control-characters.ts";
import { Message, NO_BYTES } from "../message.ts";
import type { Parts } from "../parts.ts";
import type { Refusal } from "../ports/hooks.ts";
import { LastingSession } from "../sessions/lasting-session.ts";
import type { Session } from "../sessions/session.ts";
import { checkTopicName, isReservedTopicName } from "../topics/index.ts";

export function handlePublish(parts: Parts, connection: Connection, publish: Publish): Promise<void> | void {
  const { session } = connection;
  if (session === undefined) return;
  parts.context.counters.publishReceived++;
  const topicName = resolveTopic(parts, connection, publish);
  if (topicName === undefined || !isWithinLimits(parts, connection, publish)) return;
  if (publish.qos === 2 && session.receiver.packetIds.has(publish.packetId)) {
    // 5.0 [MQTT-4.3.3-10]: the message was taken before, only PUBREC is owed again.
    acknowledge(connection, session, publish, ReasonCode.SUCCESS);
    return;
  }
  const message = messageOf(parts, connection, session, publish, topicName);
  const refusal = isReservedTopicName(topicName)
    ? RESERVED
    : connection.access?.publish(topicName, publish.qos, publish.retain);
  if (refusal === undefined) return permitted(parts, connection, session, publish, message);
  if (refusal instanceof Promise) return whenPermitted(parts, connection, session, publish, message, refusal);
  forbid(parts, connection, session, publish, refusal);
}

const RESERVED: Refusal = {
  reasonCode: ReasonCode.NOT_AUTHORIZED,
  reasonString: "this topic is the broker's own",
};

async function whenPermitted(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  message: Message,
  answer: Promise<Refusal | undefined>,
): Promise<void> {
  // The bytes that it came in are another's again after this call.
  message.own();
  const refusal = await answer;
  if (connection.state !== "connected") return;
  if (refusal === undefined) return permitted(parts, connection, session, publish, message);
  forbid(parts, connection, session, publish, refusal);
}

function forbid(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  refusal: Refusal,
): void {
  parts.context.counters.publishForbidden++;
  refuse(connection, session, publish, refusal.reasonCode, refusal.reasonString);
}

function permitted(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  message: Message,
): Promise<void> | void {
  const { publish: hook } = parts.context.hooks;
  if (hook === undefined) return acceptWithRoom(parts, connection, session, publish, message);
  return throughHook(parts, connection, session, publish, message);
}

/** The topic name with aliases resolved and checked, or `undefined` when the connection was ended. */
function resolveTopic(parts: Parts, connection: Connection, publish: Publish): string | undefined {
  const { topicName, topicAlias } = publish;
  if (topicAlias !== 0) {
    const aliases = connection.incomingAliases;
    if (!aliases.isAllowed(topicAlias)) {
      // 5.0 [MQTT-3.3.2-9]
      connection.fail(
        ReasonCode.TOPIC_ALIAS_INVALID,
        `topic alias ${topicAlias}, the maximum is ${aliases.maximum}`,
      );
      return undefined;
    }
    if (topicName === "") {
      const known = aliases.resolve(topicAlias);
      if (known === undefined)
        connection.fail(ReasonCode.PROTOCOL_ERROR, `topic alias ${topicAlias} is not defined`);
      return known;
    }
  }
  if (topicName !== connection.checkedTopicName) {
    const { limits } = parts.context;
    const { topicLevels, topicLength } = limits;
    const fault =
      topicName.length > topicLength
        ? `${topicName.length} characters, the maximum is ${topicLength}`
        : (checkTopicName(topicName, topicLevels) ?? topicFault(topicName, limits));
    if (fault !== undefined) {
      // 5.0 [MQTT-3.3.2-2], 3.1.1 [MQTT-3.3.2-2]
      connection.fail(ReasonCode.TOPIC_NAME_INVALID, `topic name: ${fault}`);
      return undefined;
    }
    connection.checkedTopicName = topicName;
  }
  if (topicAlias !== 0) connection.incomingAliases.define(topicAlias, topicName);
  return topicName;
}

function isWithinLimits(parts: Parts, connection: Connection, publish: Publish): boolean {
  const { limits } = parts.context;
  const { qos, retain, packetId } = publish;
  if (qos > limits.maximumQoS) {
    connection.fail(ReasonCode.QOS_NOT_SUPPORTED, `QoS ${qos}, the maximum is ${limits.maximumQoS}`);
    return false;
  }
  if (retain && !limits.retainAvailable) {
    connection.fail(ReasonCode.RETAIN_NOT_SUPPORTED, "RETAIN 1, but retained messages are not available");
    return false;
  }
  const receiver = connection.session?.receiver;
  // Clients of 3.x are not told of a Receive Maximum, so they cannot keep to one.
  if (connection.version === 5 && qos === 2 && receiver !== undefined && !receiver.packetIds.has(packetId)) {
    const maximum = connection.listener.receiveMaximum ?? limits.receiveMaximum;
    if (receiver.openCount >= maximum) {
      // 5.0 section 3.3.4
      connection.fail(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED, `more than ${maximum} QoS 2 PUBLISH are open`);
      return false;
    }
  }
  return true;
}

function messageOf(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  topicName: string,
): Message {
  const { messageExpiryInterval } = publish;
  const message = new Message(
    topicName,
    publish.qos,
    publish.retain,
    publish.source,
    publish.payloadStart,
    publish.payloadEnd,
    publish.forwardedStart === -1 ? publish.forwarded : NO_BYTES,
    messageExpiryInterval === -1 ? Infinity : parts.context.turn.nowMs + messageExpiryInterval * 1000,
    session.clientId,
  );
  message.forwardedStart = publish.forwardedStart;
  if (publish.qos === 0 && !publish.retain && publish.topicAlias === 0 && messageExpiryInterval === -1) {
    message.frameStart = publish.frameStart;
    message.frameVersion = connection.version === 5 ? 5 : 4;
  }
  return message;
}

async function throughHook(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  message: Message,
): Promise<void> {
  const { client } = connection;
  const { publish: hook } = parts.context.hooks;
  if (client === undefined || hook === undefined) return;
  // The bytes that it came in are another's again after this call.
  const answer = await hook(message.own(), client);
  if (connection.state !== "connected") return;
  if (answer instanceof Message) return acceptWithRoom(parts, connection, session, publish, answer);
  if (answer !== undefined) {
    parts.context.counters.refused++;
    refuse(connection, session, publish, answer.reasonCode, answer.reasonString);
    return;
  }
  return acceptWithRoom(parts, connection, session, publish, message);
}

function acceptWithRoom(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  message: Message,
): Promise<void> | void {
  if (parts.context.limits.checkPayloadFormat && !hasValidFormat(message)) {
    refuse(connection, session, publish, ReasonCode.PAYLOAD_FORMAT_INVALID, "the payload is not UTF-8");
    return;
  }
  const room = publish.qos === 0 ? undefined : parts.acceptance.room(message.topicName);
  if (room === undefined) {
    accept(parts, connection, session, publish, message);
    return;
  }
  message.own();
  connection.held = room;
  return room.hasRoom.then((hasRoom) => {
    connection.held = undefined;
    if (connection.state !== "connected") return;
    if (hasRoom) accept(parts, connection, session, publish, message);
    else refuseForRoom(parts, connection, session, publish);
  });
}

const NO_ROOM = "there is no room for the message";

function refuseForRoom(parts: Parts, connection: Connection, session: Session, publish: Publish): void {
  parts.context.counters.refused++;
  refuse(connection, session, publish, ReasonCode.QUOTA_EXCEEDED, NO_ROOM);
}

function accept(
  parts: Parts,
  connection: Connection,
  session: Session,
  publish: Publish,
  message: Message,
): void {
  const withReceipt = publish.qos === 2 && session.isLasting;
  const reasonCode = parts.acceptance.accept(message, withReceipt, session.account);
  if (reasonCode >= ReasonCode.UNSPECIFIED_ERROR) {
    refuse(connection, session, publish, reasonCode, NO_ROOM);
    return;
  }
  if (publish.qos === 0) return;
  // Only now, in the same batch as the message: while a hook or a full queue held it, the client may have come back
  // on another connection and sent it again, and an identifier without its message would lose it.
  if (publish.qos === 2) session.receiver.received(publish.packetId);
  if (withReceipt && session instanceof LastingSession) session.state.receivedChanged();
  // Its own message may have been one too many for a slow publisher.
  if (connection.state !== "connected") return;
  parts.context.counters.acknowledged++;
  if (withReceipt || parts.acceptance.isStored) connection.waitFor(parts.context.turn.batch());
  acknowledge(connection, session, publish, reasonCode);
}

function acknowledge(connection: Connection, session: Session, publish: Publish, reasonCode: number): void {
  if (publish.qos === 2) {
    // A repetition may come before the batch of the first is on disk: PUBREC waits for that one too.
    if (session instanceof LastingSession) connection.waitFor(session.state.receivedBatch());
    connection.sendAck(PacketType.PUBREC, publish.packetId, reasonCode);
  } else {
    connection.sendAck(PacketType.PUBACK, publish.packetId, reasonCode);
  }
}

/** A message that is not taken: 5.0 says so in the acknowledgement; 3.x can only acknowledge or close, [MQTT-3.3.5-2]. */
function refuse(
  connection: Connection,
  session: Session,
  publish: Publish,
  reasonCode: number,
  reason?: string,
): void {
  if (publish.qos === 0) return;
  if (connection.version !== 5 && reasonCode === ReasonCode.QUOTA_EXCEEDED) {
    // Acknowledging would promise what is not kept.
    connection.fail(reasonCode, reason ?? "no room");
    return;
  }
  const type = publish.qos === 2 ? PacketType.PUBREC : PacketType.PUBACK;
  connection.sendAck(
    type,
    publish.packetId,
    connection.version === 5 ? reasonCode : ReasonCode.SUCCESS,
    reason,
  );
}

/** With Payload Format Indicator 1 the payload has to be UTF-8. 5.0 section 3.3.2.3.2. */
function hasValidFormat(message: Message): boolean {
  if (message.forwardedLength === 0) return true;
  if (readForwardedProperties(message.forwarded).payloadFormatIndicator !== 1) return true;
  return scanUtf8(message.source, message.payloadStart, message.payloadEnd) !== -1;
}
