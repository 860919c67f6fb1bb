// AUTH: enhanced authentication, before CONNACK and again while connected. MQTT 5.0 sections 3.15, 4.12.

import { type Auth, type Connect, PacketType, ReasonCode } from "@heirloom/codec";
import { AuthenticationLimit } from "../authentication-limit.ts";
import type { Connection } from "../connection.ts";
import type { Parts } from "../parts.ts";
import type { AuthExchange, AuthStep, ClientInfo } from "../ports/hooks.ts";
import { checkSubscriptions } from "../subscription-check.ts";
import { admit, identified } from "./admit.ts";

/** Enhanced authentication, 5.0 section 4.12. */
export function authenticate(
  parts: Parts,
  connection: Connection,
  connect: Connect,
  client: ClientInfo,
  method: string,
): Promise<void> | void {
  const exchange = begin(parts, method, client);
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
    exchange = begin(parts, authMethod, client);
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

/** @returns `undefined` when the method is not offered. What it throws comes with the first step, as if that had failed. */
function begin(parts: Parts, method: string, client: ClientInfo): AuthExchange | undefined {
  try {
    return parts.context.hooks.authMethods?.get(method)?.start(client);
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    return { step: () => Promise.reject(failure) };
  }
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
