// The port to the application around a broker: who may connect, publish and subscribe, and what is delivered.
// Each hook is one moment. A hook that is absent costs nothing; one that returns a promise holds back its connection.

import type { Auth, Connect, QoS } from "@heirloom/codec";
import type { ClientCertificate } from "./transport.ts";
import type { Message } from "../message.ts";
import type { Subscription } from "../subscription.ts";

/** What hooks are told about a client. */
export interface ClientInfo {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly protocolVersion: 3 | 4 | 5;
  readonly remoteAddress: string;
  /** The name of the listener that accepted it. */
  readonly listener: string;
  /** Who it was shown to be; `undefined` = nobody in particular. A session belongs to the account that made it. */
  readonly account: string | undefined;
  /** What authentication learned beyond that: claims of a token, groups. */
  readonly claims: ReadonlyMap<string, unknown>;
  /** The certificate that it showed and that was verified. */
  readonly certificate: ClientCertificate | undefined;
}

/** For clients of whom nothing is claimed. */
export const NO_CLAIMS: ReadonlyMap<string, unknown> = new Map<string, unknown>();

/** A client of whom only this is still known: after a restart nobody knows where it came from. */
export function lostClient(clientId: string, account: string | undefined): ClientInfo {
  return {
    clientId,
    username: account,
    protocolVersion: 5,
    remoteAddress: "",
    listener: "",
    account,
    claims: NO_CLAIMS,
    certificate: undefined,
  };
}

type Awaitable<T> = T | Promise<T>;

/** Refuses with a reason code of 0x80 or above. Clients of 3.x are told the nearest code they know, or are closed. */
export interface Refusal {
  readonly reasonCode: number;
  readonly reasonString?: string;
}

/** What is known of a client that may come in. */
export interface Admission {
  /** The user name that was shown to be the client's. Default: `account`, else that of CONNECT. */
  readonly username?: string;
  /** Who it is. Default: `username`, else the user name of CONNECT. */
  readonly account?: string;
  readonly claims?: ReadonlyMap<string, unknown>;
  /** Milliseconds from now after which the connection ends with 0x87, unless the client authenticates again. */
  readonly validForMs?: number;
}

/** Moment: CONNECT was read and is legal; nothing happened yet. Returns a refusal, or what is known of the client. */
export type ConnectHook = (
  connect: Connect,
  client: ClientInfo,
) => Awaitable<Refusal | Admission | undefined | void>;

/** Moment: a message is about to be accepted, a Will's too. Returns a refusal, or a message to take instead. */
export type PublishHook = (
  message: Message,
  client: ClientInfo,
) => Awaitable<Refusal | Message | undefined | void>;

/** Moment: one filter of a SUBSCRIBE. Returns a refusal, or another granted QoS. */
export type SubscribeHook = (
  subscription: Subscription,
  client: ClientInfo,
) => Awaitable<Refusal | { readonly qos: QoS } | undefined | void>;

/**
 * Moment: a message is about to be sent to one client at the given QoS. Returns false to leave it out, or another
 * message to send instead. Asked again when a delivery is repeated after a reconnect.
 */
export type DeliverHook = (
  message: Message,
  qos: QoS,
  client: ClientInfo,
) => Awaitable<boolean | Message | undefined | void>;

/** One step of enhanced authentication. MQTT 5.0 section 4.12. */
export type AuthStep =
  | { readonly outcome: "continue"; readonly data?: Uint8Array }
  | ({ readonly outcome: "success"; readonly data?: Uint8Array } & Admission)
  | { readonly outcome: "refuse"; readonly reasonCode: number; readonly reasonString?: string };

/** One authentication method. `start` begins an exchange, on CONNECT and on each re-authentication. */
export interface AuthMethod {
  start(client: ClientInfo): AuthExchange;
}

export interface AuthExchange {
  /** Takes the Authentication Data of CONNECT or of one AUTH packet. */
  step(data: Uint8Array | undefined, packet: Connect | Auth): Awaitable<AuthStep>;
}

/** The hooks of a broker. */
export interface Hooks {
  readonly connect?: ConnectHook;
  readonly publish?: PublishHook;
  readonly subscribe?: SubscribeHook;
  readonly deliver?: DeliverHook;
  /** Methods of enhanced authentication by name. */
  readonly authMethods?: ReadonlyMap<string, AuthMethod>;
}
