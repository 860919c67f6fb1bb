// It is known who a client is: may it have its session and its will; then it takes the session up, and CONNACK says how.
// MQTT 5.0 sections 3.1.4, 3.2; 3.1.1 sections 3.1.4, 3.2.

import { type Connect, type ConnackProperties, ReasonCode } from "@heirloom/codec";
import { ClientAccess } from "../access.ts";
import type { Connection } from "../connection.ts";
import { hasControlCharacter } from "../control-characters.ts";
import type { Parts } from "../parts.ts";
import { type Admission, type ClientInfo, NO_CLAIMS, type Refusal } from "../ports/hooks.ts";
import { OutgoingAliases, IncomingAliases } from "../qos/topic-alias.ts";
import { LastingSession } from "../sessions/lasting-session.ts";
import { askAboutSubscriptions, checkSubscriptions } from "../subscription-check.ts";
import { willHeldBytes, willOf } from "../wills.ts";

/** What is wrong with a CONNECT, and the reason code of 5.0 for it. */
export interface Fault {
  readonly reasonCode: number;
  readonly reason: string;
}

/** The client, with what authentication says of it. */
export function identified(client: ClientInfo, admission: Admission | undefined | void): ClientInfo {
  // Beside an account that was named, the user name of CONNECT is one that nobody checked.
  const username = admission?.username ?? admission?.account ?? client.username;
  return {
    ...client,
    username,
    account: admission?.account ?? username,
    claims: admission?.claims ?? NO_CLAIMS,
  };
}

export function usernameFault(parts: Parts, username: string | undefined): Fault | undefined {
  const { controlCharacters } = parts.context.limits;
  if (username === undefined || controlCharacters === "everywhere") return undefined;
  if (!hasControlCharacter(username)) return undefined;
  return {
    reasonCode: ReasonCode.BAD_USER_NAME_OR_PASSWORD,
    reason: "a user name with control characters",
  };
}

/** It is known who the client is: its will is asked about, then it may have its session. */
export function admit(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  validForMs?: number,
  properties: ConnackProperties = {},
): Promise<void> | void {
  const { rules } = parts.context;
  // Noted before anybody is asked: the account may be removed meanwhile.
  connection.account = client.account;
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
  // 3.x has no way to tell the client of another Keep Alive, but it may be ended as inactive at any time: 3.1.1 section
  // 3.1.2.10. Otherwise a peer behind a proxy that is gone would hold its connection for ever.
  const isLowered = keepAliveMaximum !== 0 && isLonger;
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
