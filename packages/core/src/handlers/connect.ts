// CONNECT: what is wrong with one, and who says who the client is. What follows is in `admit.ts`.
// MQTT 5.0 section 3.1, 3.1.1 section 3.1.

import { type Connect, ReasonCode } from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import { hasControlCharacter, topicFault } from "../control-characters.ts";
import { LOCAL_CLIENT_IDS } from "../local-client.ts";
import { MemoryStep } from "../memory-ceiling.ts";
import type { Parts } from "../parts.ts";
import { type ClientInfo, NO_CLAIMS } from "../ports/hooks.ts";
import { checkTopicName, isReservedTopicName } from "../topics/index.ts";
import { admit, type Fault, identified, usernameFault } from "./admit.ts";
import { authenticate } from "./authenticate.ts";

const MAXIMUM_CLIENT_ID_3_1 = 23;

export function handleConnect(parts: Parts, connection: Connection, connect: Connect): Promise<void> | void {
  connection.begin(connect.protocolVersion);
  connection.wantsProblemInformation = connect.properties.requestProblemInformation !== false;
  connection.maximumPacketSize = connect.properties.maximumPacketSize ?? Infinity;
  const { redirect } = parts.context.limits;
  if (redirect !== undefined) {
    const reasonCode = redirect.permanent ? ReasonCode.SERVER_MOVED : ReasonCode.USE_ANOTHER_SERVER;
    const { serverReference } = redirect;
    connection.refuse(reasonCode, `use ${serverReference}`, { serverReference });
    return;
  }
  const fault = faultOf(parts, connection, connect);
  if (fault !== undefined) {
    connection.refuse(fault.reasonCode, fault.reason);
    return;
  }
  const client: ClientInfo = {
    clientId: connect.clientId === "" ? assignedClientId(parts) : connect.clientId,
    username: connect.username,
    protocolVersion: connect.protocolVersion,
    remoteAddress: connection.transport.remoteAddress,
    listener: connection.listener.name,
    account: undefined,
    claims: NO_CLAIMS,
    certificate: connection.transport.certificate,
  };
  const method = connect.properties.authenticationMethod;
  if (method !== undefined) return authenticate(parts, connection, connect, client, method);
  const { connect: hook } = parts.context.hooks;
  if (hook !== undefined) return throughHook(parts, connection, connect, client);
  if (!connection.listener.allowAnonymous) {
    const isNamed = connect.username !== undefined;
    connection.refuse(
      isNamed ? ReasonCode.BAD_USER_NAME_OR_PASSWORD : ReasonCode.NOT_AUTHORIZED,
      isNamed ? "no such user name and password" : "anonymous clients are not allowed",
    );
    return;
  }
  return admit(parts, connection, connect, client);
}

// --- checks ----------------------------------------------------------------------------------------------------------

function faultOf(parts: Parts, connection: Connection, connect: Connect): Fault | undefined {
  const { limits } = parts.context;
  const versions = connection.listener.protocolVersions ?? limits.protocolVersions;
  if (!versions.includes(connect.protocolVersion)) {
    return {
      reasonCode: ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
      reason: "this version is not accepted here",
    };
  }
  if (parts.connectedCount() >= limits.connections) {
    return { reasonCode: ReasonCode.SERVER_BUSY, reason: `${limits.connections} connections are open` };
  }
  if (parts.context.memory.isTaken(MemoryStep.CONNECTIONS)) {
    return { reasonCode: ReasonCode.SERVER_BUSY, reason: "the server is short of memory" };
  }
  return (
    clientIdFault(parts, connect) ??
    usernameFault(parts, connect.username) ??
    willFault(parts, connection, connect)
  );
}

function clientIdFault(parts: Parts, connect: Connect): Fault | undefined {
  if (connect.protocolVersion === 3 && connect.clientId.length > MAXIMUM_CLIENT_ID_3_1) {
    // 3.1 section 3.1: 1 to 23 characters. Later versions have no such limit.
    const reason = `a client identifier of ${connect.clientId.length} characters`;
    return { reasonCode: ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, reason };
  }
  if (connect.clientId.startsWith(LOCAL_CLIENT_IDS)) {
    return { reasonCode: ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, reason: "the application's own identifier" };
  }
  const { controlCharacters } = parts.context.limits;
  if (controlCharacters !== "everywhere" && hasControlCharacter(connect.clientId)) {
    const reason = "a client identifier with control characters";
    return { reasonCode: ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, reason };
  }
  if (connect.clientId !== "") return undefined;
  // 3.1.1 [MQTT-3.1.3-8]; 3.1 has no empty identifier at all; 5.0 [MQTT-3.1.3-6].
  const isAllowed = connect.protocolVersion === 5 || (connect.protocolVersion === 4 && connect.cleanStart);
  if (isAllowed && parts.context.limits.allowEmptyClientId) return undefined;
  return { reasonCode: ReasonCode.CLIENT_IDENTIFIER_NOT_VALID, reason: "an empty client identifier" };
}

function willFault(parts: Parts, connection: Connection, connect: Connect): Fault | undefined {
  const { will } = connect;
  const { limits } = parts.context;
  if (will === undefined) return undefined;
  const fault = checkTopicName(will.topicName, limits.topicLevels) ?? topicFault(will.topicName, limits);
  if (fault !== undefined)
    return { reasonCode: ReasonCode.TOPIC_NAME_INVALID, reason: `will topic: ${fault}` };
  if (will.topicName.length > limits.topicLength) {
    return { reasonCode: ReasonCode.TOPIC_NAME_INVALID, reason: "the will's topic is too long" };
  }
  const willBytes = will.topicName.length + will.payload.length + will.forwarded.length;
  const maximumPacketSize = connection.listener.maximumPacketSize ?? limits.maximumPacketSize;
  if (willBytes > maximumPacketSize) {
    const reason = `a will of ${willBytes} bytes, the maximum of a packet is ${maximumPacketSize}`;
    return { reasonCode: ReasonCode.PACKET_TOO_LARGE, reason };
  }
  if (isReservedTopicName(will.topicName)) {
    return { reasonCode: ReasonCode.NOT_AUTHORIZED, reason: "the will's topic is the broker's own" };
  }
  if (will.qos > limits.maximumQoS) {
    // 5.0 [MQTT-3.2.2-12]
    return { reasonCode: ReasonCode.QOS_NOT_SUPPORTED, reason: `will QoS ${will.qos}` };
  }
  if (will.retain && !limits.retainAvailable) {
    // 5.0 [MQTT-3.2.2-13]
    return { reasonCode: ReasonCode.RETAIN_NOT_SUPPORTED, reason: "a retained will" };
  }
  return undefined;
}

/** 128 bits that nobody can guess: so nobody can take the session over, or have the name before. */
function assignedClientId(parts: Parts): string {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let clientId = "auto";
  // Five of 256 values share a digit at most, so each is worth 5.67 bits.
  for (const byte of parts.context.world.randomBytes(23)) clientId += digits[byte % digits.length] ?? "0";
  return clientId;
}

// --- authentication --------------------------------------------------------------------------------------------------

async function throughHook(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
): Promise<void> {
  const answer = await parts.context.hooks.connect?.(connect, client);
  if (connection.state !== "connecting") return;
  if (answer !== undefined && "reasonCode" in answer) {
    connection.refuse(answer.reasonCode, answer.reasonString ?? "refused");
    return;
  }
  const validForMs = answer === undefined ? undefined : answer.validForMs;
  return admit(parts, connection, connect, identified(client, answer), validForMs);
}
