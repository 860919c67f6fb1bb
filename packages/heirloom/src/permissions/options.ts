// The options of `permissions`, as a program gives them; a configuration file has the same names.

import type { QoS } from "@heirloom/codec";
import type { ClientInfo } from "@heirloom/core";

/** "subscribe" is SUBSCRIBE and what comes of it; "receive" is the latter alone. */
export type PermissionAction = "publish" | "subscribe" | "receive" | "all";

/** Whom a rule is for. All that is given has to fit; of each list, one item. */
export interface WhoOptions {
  /** User names that were shown to be the client's; "*" stands for any characters. */
  readonly users?: string | readonly string[];
  /** Client identifiers; "*" stands for any characters. Clients choose them: on their own they show nothing. */
  readonly clientIds?: string | readonly string[];
  /** Values of the claim `groups`. */
  readonly groups?: string | readonly string[];
  /** Claims by name, and the values of which the client has to have one; "*" stands for any characters. */
  readonly claims?: Readonly<Record<string, string | readonly string[]>>;
  /** Addresses and networks, such as "10.0.0.0/8" or "fd00::/8". */
  readonly addresses?: string | readonly string[];
  /** Names of listeners. */
  readonly listeners?: string | readonly string[];
  /** Whether nobody showed who the client is. */
  readonly anonymous?: boolean;
}

/** One rule. A deny rule that applies wins over all others, wherever it stands. */
export interface RuleOptions extends WhoOptions {
  /** Either this or `deny`. */
  readonly allow?: PermissionAction | readonly PermissionAction[];
  readonly deny?: PermissionAction | readonly PermissionAction[];
  /** Topic filters; a level may be `%u` (user name), `%c` (client identifier) or `${claims.name}`. */
  readonly topics: string | readonly string[];
  /** Those for whom the rule is not. */
  readonly except?: WhoOptions;
  /** Allow rules: the highest QoS. Default 2. */
  readonly maximumQoS?: QoS;
  /** Allow rules: whether a PUBLISH may have RETAIN. Default true. */
  readonly retain?: boolean;
  /** Names of shared subscriptions: the only ones allowed, or those denied; "*" stands for any characters. */
  readonly shareNames?: string | readonly string[];
}

/** Claims that hold lists of topic filters. */
export interface ClaimsPermissionOptions {
  /** The claim with the filters that the client may publish to. Without it this source allows no PUBLISH. */
  readonly publish?: string;
  /** The claim with the filters that the client may subscribe to. Without it this source allows no SUBSCRIBE. */
  readonly subscribe?: string;
}

/** A server of the operator that is asked. */
export interface WebhookPermissionOptions {
  /** https:, or http: of this machine. */
  readonly url: string;
  /** Milliseconds until the whole answer, 100 to 60,000. Default 5,000. */
  readonly timeoutMs?: number;
  /** Milliseconds for which an answer is believed, 0 to 60,000. Default 30,000. */
  readonly cacheForMs?: number;
  /** Answers that are remembered. Default 100,000. */
  readonly cacheEntries?: number;
  /** Questions at the same time. Default 32. */
  readonly requestsAtOnce?: number;
  /** Questions that wait for that; what is beyond them is refused. Default 10,000. */
  readonly requestsWaiting?: number;
  /** A file with a token that is sent as `Authorization: Bearer`. */
  readonly bearerTokenFile?: string;
  /** Certificates in PEM that the server has to come from. Default: those that Node knows. */
  readonly caFile?: string;
}

export const WEBHOOK_PERMISSION_DEFAULTS = {
  timeoutMs: 5_000,
  cacheForMs: 30_000,
  cacheEntries: 100_000,
  requestsAtOnce: 32,
  requestsWaiting: 10_000,
} as const;

/** What a {@link PermissionCheck} is asked. */
export interface PermissionRequest {
  readonly action: "publish" | "subscribe" | "receive";
  readonly client: ClientInfo;
  /** A topic name; for "subscribe" a topic filter, without `$share/name/`. */
  readonly topic: string;
  /** 0 for "receive". */
  readonly qos: QoS;
  /** Whether a PUBLISH has RETAIN. */
  readonly retain: boolean;
  /** The share name of a shared subscription. */
  readonly shareName: string | undefined;
}

/** "ignore" = the next source is asked. */
export type PermissionAnswer = "allow" | "deny" | "ignore";

/**
 * A function of the application. For "receive" it has to answer at once: a promise is a refusal, and so is an error. The
 * answers for "receive" are kept until `broker.reload()`, and so is an "allow" given at once for the topic to which a client published last.
 */
export type PermissionCheck = (request: PermissionRequest) => PermissionAnswer | Promise<PermissionAnswer>;

/** One source of permissions. */
export type PermissionOptions =
  /** An ACL file of Mosquitto. */
  | { readonly aclFile: string }
  | { readonly rules: readonly RuleOptions[] }
  /** A YAML file with rules. */
  | { readonly rulesFile: string }
  | { readonly claims: ClaimsPermissionOptions }
  | { readonly webhook: WebhookPermissionOptions }
  | PermissionCheck;
