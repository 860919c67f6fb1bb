// CONNECT and AUTH: who may come in, under which name, to which session, and what CONNACK says about it.
// MQTT 5.0 sections 3.1, 3.2, 4.12; 3.1.1 sections 3.1, 3.2.

import { type Auth, type ConnackProperties, type Connect, PacketType, ReasonCode } from "@heirloom/codec";
import { ClientAccess } from "../access.ts";
import { AuthenticationLimit } from "../authentication-limit.ts";
import type { Connection } from "../connection.ts";
import { hasControlCharacter, topicFault } from "../control-characters.ts";
import { MemoryStep } from "../memory-ceiling.ts";
import type { Parts } from "../parts.ts";
import {
  type Admission,
  type AuthExchange,
  type AuthStep,
  type ClientInfo,
  NO_CLAIMS,
  type Refusal,
} from "../ports/hooks.ts";
import { OutgoingAliases, IncomingAliases } from "../qos/topic-alias.ts";
import { LOCAL_CLIENT_IDS } from "../local-client.ts";
import { LastingSession } from "../sessions/lasting-session.ts";
import { askAboutSubscriptions, checkSubscriptions } from "../subscription-check.ts";
import { checkTopicName, isReservedTopicName } from "../topics/index.ts";
import { willHeldBytes, willOf } from "../wills.ts";

const MAXIMUM_CLIENT_ID_3_1 = 23;

/** What is wrong with a CONNECT, and the reason code of 5.0 for it. */
interface Fault {
  readonly reasonCode: number;
  readonly reason: string;
}

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

function usernameFault(parts: Parts, username: string | undefined): Fault | undefined {
  const { controlCharacters } = parts.context.limits;
  if (username === undefined || controlCharacters === "everywhere") return undefined;
  if (!hasControlCharacter(username)) return undefined;
  return {
    reasonCode: ReasonCode.BAD_USER_NAME_OR_PASSWORD,
    reason: "a user name with control characters",
  };
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

/** The client, with what authentication says of it. */
function identified(client: ClientInfo, admission: Admission | undefined | void): ClientInfo {
  const username = admission?.username ?? client.username;
  return {
    ...client,
    username,
    account: admission?.account ?? username,
    claims: admission?.claims ?? NO_CLAIMS,
  };
}

/** Enhanced authentication, 5.0 section 4.12. */
function authenticate(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  method: string,
): Promise<void> | void {
  const exchange = parts.context.hooks.authMethods?.get(method)?.start(client);
  if (exchange === undefined) {
    // 5.0 [MQTT-4.12.0-1]
    connection.refuse(
      ReasonCode.BAD_AUTHENTICATION_METHOD,
      "an authentication method that is not offered here",
    );
    return;
  }
  connection.authMethod = method;
  connection.authentication = new AuthenticationLimit(parts.context, () =>
    connection.fail(ReasonCode.NOT_AUTHORIZED, "authentication took too long"),
  );
  connection.authentication.begin(true);
  connection.authExchange = exchange;
  connection.pendingConnect = { connect, client };
  return step(parts, connection, exchange, connect);
}

export function handleAuth(parts: Parts, connection: Connection, auth: Auth): Promise<void> | void {
  const { authMethod } = connection;
  if (authMethod === undefined || auth.properties.authenticationMethod !== authMethod) {
    // 5.0 [MQTT-4.12.0-5], [MQTT-4.12.0-7]
    connection.fail(ReasonCode.PROTOCOL_ERROR, "AUTH without the authentication method of CONNECT");
    return;
  }
  let exchange = connection.authExchange;
  if (auth.reasonCode === ReasonCode.REAUTHENTICATE) {
    const { client } = connection;
    if (connection.state !== "connected" || client === undefined || exchange !== undefined) {
      connection.fail(ReasonCode.PROTOCOL_ERROR, "AUTH 0x19 while authentication is under way");
      return;
    }
    exchange = parts.context.hooks.authMethods?.get(authMethod)?.start(client);
    connection.authExchange = exchange;
    connection.authentication?.begin(false);
  }
  if (exchange === undefined || auth.reasonCode === ReasonCode.SUCCESS) {
    connection.fail(ReasonCode.PROTOCOL_ERROR, "AUTH that continues no authentication");
    return;
  }
  if (connection.authentication?.take() === false) {
    const { authenticationRounds } = parts.context.limits;
    connection.fail(
      ReasonCode.NOT_AUTHORIZED,
      `more than ${authenticationRounds} AUTH in one authentication`,
    );
    return;
  }
  return step(parts, connection, exchange, auth);
}

async function step(
  parts: Parts,
  connection: Connection,
  exchange: AuthExchange,
  packet: Connect | Auth,
): Promise<void> {
  const answer = await exchange.step(packet.properties.authenticationData, packet);
  if (connection.state === "ended") return;
  if (answer.outcome === "refuse") {
    const reason = answer.reasonString ?? "authentication failed";
    if (connection.state === "connected") connection.fail(answer.reasonCode, reason);
    else connection.refuse(answer.reasonCode, reason);
    return;
  }
  if (answer.outcome === "continue") {
    sendAuth(connection, ReasonCode.CONTINUE_AUTHENTICATION, answer);
    return;
  }
  connection.authExchange = undefined;
  connection.authentication?.end();
  const { pendingConnect } = connection;
  if (pendingConnect === undefined) {
    authenticatedAgain(parts, connection, answer);
    return;
  }
  connection.pendingConnect = undefined;
  const { connect, client } = pendingConnect;
  const properties = authProperties(connection, answer);
  return admit(parts, connection, connect, identified(client, answer), answer.validForMs, properties);
}

/** Re-authentication succeeded. It may say more of the client, but not that it is another. */
function authenticatedAgain(
  parts: Parts,
  connection: Connection,
  answer: AuthStep & { readonly outcome: "success" },
): void {
  const { client } = connection;
  if (client === undefined) return;
  const renewed = identified(client, answer);
  if (renewed.account !== client.account) {
    connection.fail(ReasonCode.NOT_AUTHORIZED, "re-authentication as another account");
    return;
  }
  const unjudged = parts.context.rules?.identityFault(renewed);
  if (unjudged !== undefined) {
    connection.fail(ReasonCode.NOT_AUTHORIZED, unjudged);
    return;
  }
  connection.client = renewed;
  connection.access?.renew(renewed);
  checkSubscriptions(parts, connection);
  connection.setValidity(answer.validForMs);
  sendAuth(connection, ReasonCode.SUCCESS, answer);
}

function sendAuth(connection: Connection, reasonCode: number, answer: AuthStep): void {
  const properties = authProperties(connection, answer);
  connection.sendWithReason(() => ({ type: PacketType.AUTH, reasonCode, properties }));
}

function authProperties(
  connection: Connection,
  answer: AuthStep & { readonly data?: Uint8Array },
): { authenticationMethod?: string; authenticationData?: Uint8Array } {
  return {
    ...(connection.authMethod === undefined ? {} : { authenticationMethod: connection.authMethod }),
    ...(answer.data === undefined ? {} : { authenticationData: answer.data }),
  };
}

// --- acceptance ------------------------------------------------------------------------------------------------------

/** It is known who the client is: its will is asked about, then it may have its session. */
function admit(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  validForMs?: number,
  properties: ConnackProperties = {},
): Promise<void> | void {
  const { rules } = parts.context;
  const unjudged = rules?.identityFault(client);
  if (unjudged !== undefined) {
    connection.refuse(ReasonCode.NOT_AUTHORIZED, unjudged);
    return;
  }
  // Authentication may have named another one than CONNECT.
  const misnamed = usernameFault(parts, client.username) ?? usernameFault(parts, client.account);
  if (misnamed !== undefined) {
    connection.refuse(misnamed.reasonCode, misnamed.reason);
    return;
  }
  connection.access = rules === undefined ? undefined : new ClientAccess(rules, client);
  connection.setValidity(validForMs);
  const { will } = connect;
  const answer = will && connection.access?.publish(will.topicName, will.qos, will.retain);
  const finish = (refusal: Refusal | undefined): Promise<void> | void => {
    if (connection.state !== "connecting") return;
    const fault = refusal === undefined ? roomFault(parts, connect, client) : willRefused(parts, refusal);
    if (fault !== undefined) {
      connection.refuse(fault.reasonCode, fault.reason);
      return;
    }
    const session = connect.cleanStart ? undefined : parts.sessions.get(client.clientId);
    const { access } = connection;
    const isKnown = session === undefined || access === undefined || askAboutSubscriptions(session, access);
    const settle = (answered: boolean): void =>
      acceptIfKnown(parts, connection, connect, client, answered, properties);
    if (isKnown instanceof Promise) return isKnown.then(settle);
    settle(isKnown);
  };
  return answer instanceof Promise ? answer.then(finish) : finish(answer);
}

/** It was asked about the subscriptions of the session. That may have taken a while, in which others may have come. */
function acceptIfKnown(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  isKnown: boolean,
  properties: ConnackProperties,
): void {
  if (connection.state !== "connecting") return;
  const unknown: Fault = {
    reasonCode: ReasonCode.SERVER_UNAVAILABLE,
    reason: "the permissions cannot be asked",
  };
  const fault = isKnown ? (roomFault(parts, connect, client) ?? flappingFault(parts, client)) : unknown;
  if (fault === undefined) accept(parts, connection, connect, client, properties);
  else connection.refuse(fault.reasonCode, fault.reason);
}

function roomFault(parts: Parts, connect: Connect, client: ClientInfo): Fault | undefined {
  return sessionFault(parts, client) ?? willRoomFault(parts, connect, client);
}

/** Whether the will fits beside those of others. That of the client's own session goes when this one comes. */
function willRoomFault(parts: Parts, { will }: Connect, { clientId }: ClientInfo): Fault | undefined {
  if (will === undefined) return undefined;
  const { counters, limits } = parts.context;
  const before = parts.sessions.get(clientId)?.will?.message.heldBytes ?? 0;
  if (counters.willBytes - before + willHeldBytes(will) <= limits.willBytes) return undefined;
  return { reasonCode: ReasonCode.QUOTA_EXCEEDED, reason: "the wills of all clients take too much memory" };
}

function willRefused(parts: Parts, { reasonCode, reasonString }: Refusal): Fault {
  parts.context.counters.publishForbidden++;
  return {
    reasonCode,
    reason: `the will is refused${reasonString === undefined ? "" : `: ${reasonString}`}`,
  };
}

/** Whether the client may have a session of this name, and one more connection. */
function sessionFault(parts: Parts, { clientId, account }: ClientInfo): Fault | undefined {
  const { sessions, context } = parts;
  const { accounts, limits } = context;
  if (!sessions.mayOpen(clientId, account)) {
    // The same words whether that client is connected or not.
    return {
      reasonCode: ReasonCode.NOT_AUTHORIZED,
      reason: "this client identifier belongs to another account",
    };
  }
  if (sessions.isFull(clientId, account)) {
    return { reasonCode: ReasonCode.QUOTA_EXCEEDED, reason: "there are as many sessions as may be" };
  }
  const replaced = parts.connectionOf(clientId)?.client;
  const open =
    accounts.connections(account) - (replaced !== undefined && replaced.account === account ? 1 : 0);
  if (account !== undefined && open >= limits.connectionsPerAccount) {
    const reason = `${limits.connectionsPerAccount} connections of this account are open`;
    return { reasonCode: ReasonCode.QUOTA_EXCEEDED, reason };
  }
  return undefined;
}

/** Whether clients drive each other out. Asking counts, so this is the last question. */
function flappingFault(parts: Parts, { clientId }: ClientInfo): Fault | undefined {
  const { limits, counters } = parts.context;
  if (parts.connectionOf(clientId) === undefined || !parts.sessions.isFlapping(clientId)) return undefined;
  counters.flapping++;
  const reason = `more than ${limits.takeoversPerMinute} takeovers of this client identifier in a minute`;
  return { reasonCode: ReasonCode.CONNECTION_RATE_EXCEEDED, reason };
}

function accept(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  properties: ConnackProperties,
): void {
  const { context, sessions, subscriptions } = parts;
  const { clientId, account } = client;
  // 5.0 [MQTT-3.1.4-3], 3.1.1 [MQTT-3.1.4-2]: only now, when it is known who this is.
  const holder = parts.connectionOf(clientId);
  if (holder !== undefined) {
    context.counters.takeovers++;
    holder.disconnect(ReasonCode.SESSION_TAKEN_OVER, "another connection with this client identifier");
  }
  const expiryInterval = grantExpiry(parts, connection, connect);
  const { session, present } = sessions.open(clientId, account, connect.cleanStart, expiryInterval);
  session.will = connect.will === undefined ? undefined : willOf(connect.will, clientId);
  connection.session = session;
  connection.client = client;
  context.accounts.countConnection(account, 1);
  setUp(parts, connection, connect);
  if (session instanceof LastingSession) session.state.recordChanged();
  if (session.isLasting) connection.waitFor(context.turn.batch());
  // The end of a session counts as much as its beginning: this client's may have ended just now, or a moment ago.
  connection.waitFor(sessions.endedBatch);
  // The session sends nothing before the turn ends, so CONNACK comes first. It may be too large for the client: then this
  // is the end of a connection that holds its session.
  session.connect(connection, client, connect.properties.receiveMaximum ?? 65_535);
  subscriptions.connected(session);
  if (present) checkSubscriptions(parts, connection);
  connection.accept(present, {
    ...properties,
    ...connackProperties(parts, connection, connect, client, expiryInterval),
  });
  if (connection.state === "ended") return;
  context.observer.event("connected", { client, sessionPresent: present });
}

/** Seconds that the session will outlive its connection; 0 = it will not. */
function grantExpiry(parts: Parts, connection: Connection, connect: Connect): number {
  const { limits } = parts.context;
  if (connect.protocolVersion !== 5)
    return connect.cleanStart ? 0 : Math.min(limits.sessionExpiryDefault, limits.sessionExpiryMaximum);
  connection.connectExpiryInterval = connect.properties.sessionExpiryInterval ?? 0;
  return Math.min(connection.connectExpiryInterval, limits.sessionExpiryMaximum);
}

function setUp(parts: Parts, connection: Connection, connect: Connect): void {
  const { limits } = parts.context;
  const { listener } = connection;
  const keepAliveMaximum = listener.keepAliveMaximum ?? limits.keepAliveMaximum;
  const isLonger = connect.keepAlive === 0 || connect.keepAlive > keepAliveMaximum;
  // 3.x has no way to tell the client of another Keep Alive.
  const isLowered = connect.protocolVersion === 5 && keepAliveMaximum !== 0 && isLonger;
  connection.keepAlive = isLowered ? keepAliveMaximum : connect.keepAlive;
  if (connect.protocolVersion !== 5) return;
  connection.incomingAliases = new IncomingAliases(listener.topicAliasMaximum ?? limits.topicAliasMaximum);
  const aliases = Math.min(connect.properties.topicAliasMaximum ?? 0, limits.sendTopicAliasMaximum);
  connection.outgoingAliases = aliases === 0 ? undefined : new OutgoingAliases(aliases);
}

/** What CONNACK tells: everything that differs from what the client may assume. 5.0 section 3.2.2.3. */
function connackProperties(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  expiryInterval: number,
): ConnackProperties {
  if (connect.protocolVersion !== 5) return {};
  const { limits } = parts.context;
  const { listener } = connection;
  const receiveMaximum = listener.receiveMaximum ?? limits.receiveMaximum;
  const topicAliasMaximum = listener.topicAliasMaximum ?? limits.topicAliasMaximum;
  return {
    ...(expiryInterval === connection.connectExpiryInterval ? {} : { sessionExpiryInterval: expiryInterval }),
    ...(receiveMaximum === 65_535 ? {} : { receiveMaximum }),
    ...(limits.maximumQoS === 2 ? {} : { maximumQoS: limits.maximumQoS }),
    ...(limits.retainAvailable ? {} : { retainAvailable: false }),
    maximumPacketSize: listener.maximumPacketSize ?? limits.maximumPacketSize,
    ...(connect.clientId === "" ? { assignedClientIdentifier: client.clientId } : {}),
    ...(topicAliasMaximum === 0 ? {} : { topicAliasMaximum }),
    ...(limits.wildcardSubscriptionAvailable ? {} : { wildcardSubscriptionAvailable: false }),
    ...(limits.subscriptionIdentifiersAvailable ? {} : { subscriptionIdentifiersAvailable: false }),
    ...(limits.sharedSubscriptionAvailable ? {} : { sharedSubscriptionAvailable: false }),
    ...(connection.keepAlive === connect.keepAlive ? {} : { serverKeepAlive: connection.keepAlive }),
  };
}
