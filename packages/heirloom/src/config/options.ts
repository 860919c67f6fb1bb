// Every option of the server in one table: name, kind, default, description.
// Reading, checking and docs/reference/configuration.md come from here; the limits' defaults from `@heirloom/core`.

import type { ProtocolVersion, QoS } from "@heirloom/codec";
import { DEFAULT_LIMITS, type Limits, type QueuePolicy } from "@heirloom/core";
import { count, flag, listOf, milliseconds, oneOf, path, seconds, size, text } from "./kinds.ts";
import type { Kind, Option, OptionTable } from "./option.ts";

/** What is no limit and no listener. */
export interface GeneralOptions {
  /** Whether clients may connect without telling who they are. Default true, with `authentication` false. */
  readonly allowAnonymous?: boolean;
  /** Where sessions and messages are kept. */
  readonly store?: "leveldb" | "memory";
  /** The data directory of the store "leveldb". */
  readonly data?: string;
  /** Seconds after which everything that was deleted is taken out of the files, again and again; Infinity = never. Default a day. */
  readonly purgeInterval?: number;
}

export const DEFAULT_DATA_DIRECTORY = "./heirloom-data";
export const DEFAULT_PURGE_INTERVAL = 86_400;
/** The largest values that the standard's fields hold, and the largest that this program counts to. */
export const MAXIMUM: Readonly<Record<"u16" | "u32" | "packet" | "bytes" | "count", number>> = {
  u16: 65_535,
  u32: 0xffff_ffff,
  packet: 268_435_460,
  bytes: 2 ** 50,
  count: 2 ** 50,
};

/** The value of "never" for a Session Expiry Interval. MQTT 5.0 section 3.1.2.11.2. */
const NEVER_EXPIRES = 0xffff_ffff;

const PROTOCOL_VERSIONS: ReadonlyMap<string, ProtocolVersion> = new Map<string, ProtocolVersion>([
  ["3.1", 3],
  ["3.1.1", 4],
  ["5.0", 5],
]);

export const GENERAL_OPTIONS: OptionTable<GeneralOptions> = {
  allowAnonymous: {
    name: "allowAnonymous",
    kind: flag,
    default: "true, with `authentication` false",
    description:
      "Whether clients may connect without telling who they are. While they may, a listener without a `host` only " +
      "listens on this machine; one with the `host` of a network needs `true` in so many words. `false` needs something " +
      "that identifies clients: `authentication`, or a `connect` hook of the library.",
  },
  store: {
    name: "store",
    kind: oneOf(
      new Map<string, "leveldb" | "memory">([
        ["leveldb", "leveldb"],
        ["memory", "memory"],
      ]),
    ),
    default: "leveldb",
    description:
      "Where sessions and messages are kept: `leveldb` on disk in the directory `data`; `memory` forgets everything when " +
      "the process ends.",
  },
  data: {
    name: "data",
    kind: path,
    default: DEFAULT_DATA_DIRECTORY,
    description: "The data directory. In a file, a relative path begins at the directory of the file.",
  },
  purgeInterval: {
    name: "purgeInterval",
    kind: seconds({ minimum: 60, maximum: 2_073_600 }, Infinity),
    default: "1d",
    description:
      "How long messages, sessions and retained messages that are gone may still stand somewhere in the files of the data " +
      "directory. After this time all files are written anew without them, a few megabytes at a time.",
  },
};

export const LIMIT_OPTIONS: OptionTable<Limits> = {
  protocolVersions: limit(
    "protocolVersions",
    listOf(oneOf(PROTOCOL_VERSIONS)),
    "Versions of MQTT that are accepted. Others are told so: CONNACK 0x84, for 3.x return code 1.",
  ),
  connections: limit(
    "connections",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Connections at the same time; more are refused with 0x89. There are never more than the system's limit of open files " +
      "less those that the store needs, 1,100 or half of them: more are closed at once.",
  ),
  connectionsPerAccount: limit(
    "connectionsPerAccount",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Connections of one account at the same time; more are refused with 0x97.",
  ),
  sessions: limit(
    "sessions",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Sessions, connected or not; a client that would need one more is refused with 0x97.",
  ),
  sessionsPerAccount: limit(
    "sessionsPerAccount",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Sessions of one account, connected or not; a client that would need one more is refused with 0x97.",
  ),
  sessionOwner: limit(
    "sessionOwner",
    oneOf(
      new Map<string, Limits["sessionOwner"]>([
        ["account", "account"],
        ["anyone", "anyone"],
      ]),
    ),
    "Who may take up a session: only the account that made it (others are refused with 0x87), or anyone who knows the " +
      "client identifier.",
  ),
  checkRetainedPublisher: limit(
    "checkRetainedPublisher",
    flag,
    "Whether a retained message is left out while the account that published it may not publish to its topic any more.",
  ),
  connectTimeoutMs: limit(
    "connectTimeoutMs",
    milliseconds({ minimum: 100, maximum: 3_600_000 }),
    "The time from accepting a connection to a whole CONNECT packet.",
    "connectTimeout",
  ),
  maximumConnectSize: limit(
    "maximumConnectSize",
    size({ minimum: 64, maximum: MAXIMUM.packet }),
    "A whole CONNECT packet. Smaller than `maximumPacketSize`, because nobody is known yet.",
  ),
  pendingConnections: limit(
    "pendingConnections",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Connections whose CONNECT was not accepted yet. One more ends the one that has waited longest.",
  ),
  maximumControlSize: limit(
    "maximumControlSize",
    size({ minimum: 64, maximum: MAXIMUM.packet }),
    "A whole packet other than CONNECT and PUBLISH. Small packets become large in memory: each topic filter and each User " +
      "Property takes a multiple of its size.",
  ),
  totalInputBytes: limit(
    "totalInputBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Packets that have begun and not ended, of all connections together. Beyond it a connection that keeps more than its " +
      "share, this divided by the number of connections, is ended with 0x97.",
  ),
  maximumPacketSize: limit(
    "maximumPacketSize",
    size({ minimum: 64, maximum: MAXIMUM.packet }),
    "A whole packet that a client may send.",
  ),
  keepAliveMaximum: {
    ...limit(
      "keepAliveMaximum",
      seconds({ minimum: 0, maximum: MAXIMUM.u16 }),
      "The longest Keep Alive that is granted, also to clients that ask for none; 0 = no maximum. Clients of 5.0 are told " +
        "(Server Keep Alive). Clients of 3.1 and 3.1.1 cannot be told: when nothing came from one of them for one and a " +
        "half times as long, its connection ends. Give a listener of its own to devices that sleep longer.",
    ),
    default: "20m",
  },
  receiveMaximum: limit(
    "receiveMaximum",
    count({ minimum: 1, maximum: MAXIMUM.u16 }),
    "QoS 1 and 2 messages that a client may send without waiting for their acknowledgement.",
  ),
  sendMaximum: limit(
    "sendMaximum",
    count({ minimum: 1, maximum: MAXIMUM.u16 }),
    "QoS 1 and 2 messages that are sent to a client without waiting; a client may ask for fewer.",
  ),
  topicAliasMaximum: limit(
    "topicAliasMaximum",
    count({ minimum: 0, maximum: MAXIMUM.u16 }),
    "Topic aliases that a client may define.",
  ),
  sendTopicAliasMaximum: limit(
    "sendTopicAliasMaximum",
    count({ minimum: 0, maximum: MAXIMUM.u16 }),
    "Topic aliases that the broker defines towards one client, at most.",
  ),
  maximumQoS: limit(
    "maximumQoS",
    oneOf(
      new Map<string, QoS>([
        ["0", 0],
        ["1", 1],
        ["2", 2],
      ]),
    ),
    "The highest QoS that is accepted and granted.",
  ),
  retainAvailable: limit("retainAvailable", flag, "Whether retained messages are kept."),
  wildcardSubscriptionAvailable: limit(
    "wildcardSubscriptionAvailable",
    flag,
    "Whether topic filters may have wildcards.",
  ),
  sharedSubscriptionAvailable: limit(
    "sharedSubscriptionAvailable",
    flag,
    "Whether `$share` subscriptions are accepted.",
  ),
  subscriptionIdentifiersAvailable: limit(
    "subscriptionIdentifiersAvailable",
    flag,
    "Whether Subscription Identifiers are accepted.",
  ),
  allowEmptyClientId: limit(
    "allowEmptyClientId",
    flag,
    "Accepts an empty Client Identifier and assigns one.",
  ),
  controlCharacters: limit(
    "controlCharacters",
    oneOf(
      new Map<string, Limits["controlCharacters"]>([
        ["nowhere", "nowhere"],
        ["topics", "topics"],
        ["everywhere", "everywhere"],
      ]),
    ),
    "Where control characters, U+0001 to U+001F and U+007F to U+009F, may stand: in topics; also in client identifiers " +
      "and user names; or nowhere. Identifiers are refused with 0x85, user names with 0x86, topics with 0x90, filters with " +
      "0x8F.",
  ),
  authenticationRounds: limit(
    "authenticationRounds",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "AUTH packets that a client may send in one authentication, which has to end within `connectTimeout`; one more ends " +
      "the connection with 0x87.",
  ),
  checkPayloadFormat: limit(
    "checkPayloadFormat",
    flag,
    "Whether a payload that is said to be UTF-8 is checked; refused with 0x99.",
  ),
  sessionExpiryDefault: limit(
    "sessionExpiryDefault",
    seconds({ minimum: 0, maximum: MAXIMUM.u32 }, NEVER_EXPIRES),
    "How long sessions of clients of 3.1 and 3.1.1 with clean session 0 outlive their connection.",
  ),
  sessionExpiryMaximum: limit(
    "sessionExpiryMaximum",
    seconds({ minimum: 0, maximum: MAXIMUM.u32 }, NEVER_EXPIRES),
    "The longest Session Expiry Interval that is granted.",
  ),
  queueMessages: limit(
    "queueMessages",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Messages waiting for one lasting session, on disk, over all its filters. `discard-oldest` cuts to it once a second; with `refuse` and `hold`, what one turn brings may pass it.",
  ),
  queueBytes: limit(
    "queueBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Bytes waiting for one lasting session, on disk.",
  ),
  queuePolicy: limit(
    "queuePolicy",
    oneOf(
      new Map<string, QueuePolicy>([
        ["discard-oldest", "discard-oldest"],
        ["refuse", "refuse"],
        ["hold", "hold"],
      ]),
    ),
    "What happens when the queue of a lasting session is full: its oldest message is discarded and counted, the " +
      "publisher is refused with 0x97, or the publisher's acknowledgement waits.",
  ),
  holdTimeoutMs: limit(
    "holdTimeoutMs",
    milliseconds({ minimum: 1, maximum: 86_400_000 }),
    "How long a publisher is held by the policy `hold`, or by a slow disk, before its message is refused with 0x97 (3.x: the " +
      "connection is closed).",
    "holdTimeout",
  ),
  messageLogBytes: limit(
    "messageLogBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Bytes that one message may take on disk in all: its size times the filters of lasting sessions that it matches. " +
      "A message that matches several filters and takes more is refused with 0x97.",
  ),
  cleanQueueMessages: limit(
    "cleanQueueMessages",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Messages waiting in memory for one clean session; beyond them it is disconnected with 0x97.",
  ),
  cleanQueueBytes: limit(
    "cleanQueueBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Bytes waiting in memory for one clean session; beyond them it is disconnected with 0x97.",
  ),
  outputBytes: limit(
    "outputBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Bytes that wait for one connection's socket. Beyond them QoS 0 messages to it are dropped and counted.",
  ),
  totalOutputBytes: limit(
    "totalOutputBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Bytes that wait for all sockets together. Beyond them each connection has only its share, this divided by the number " +
      "of connections; beyond twice as many only those with nothing waiting add more, up to four times as many.",
  ),
  unsavedBytes: limit(
    "unsavedBytes",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "Queued messages that are not on disk yet. Beyond it, publishers whose messages go to queues are not read until the " +
      "disk has kept up.",
  ),
  logCacheBytes: limit(
    "logCacheBytes",
    size({ minimum: 0, maximum: MAXIMUM.bytes }),
    "Recent messages on disk that are also kept in memory, for all queues together.",
  ),
  topicLevels: limit(
    "topicLevels",
    count({ minimum: 1, maximum: MAXIMUM.u16 + 1 }),
    "Levels of a topic name or a topic filter.",
  ),
  topicLength: limit(
    "topicLength",
    count({ minimum: 1, maximum: MAXIMUM.u16 }),
    "Characters of a topic name (longer ones end the connection with 0x90) or a topic filter (refused with 0x97).",
  ),
  userProperties: limit(
    "userProperties",
    count({ minimum: 0, maximum: MAXIMUM.packet }),
    "User Properties of one packet; more end the connection with 0x97.",
  ),
  subscriptions: limit(
    "subscriptions",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Subscriptions of all sessions; more are refused with 0x97.",
  ),
  subscriptionsPerPacket: limit(
    "subscriptionsPerPacket",
    count({ minimum: 1, maximum: MAXIMUM.u16 }),
    "Topic filters of one SUBSCRIBE; those behind them are refused with 0x97.",
  ),
  subscriptionsPerSession: limit(
    "subscriptionsPerSession",
    count({ minimum: 1, maximum: MAXIMUM.count }),
    "Subscriptions of one session; more are refused with 0x97. As many that were replaced or ended may still have messages to deliver.",
  ),
  subscriptionBytesPerSession: limit(
    "subscriptionBytesPerSession",
    size({ minimum: 1_024, maximum: MAXIMUM.bytes }),
    "The topic filters of one session together; more are refused with 0x97.",
  ),
  retainedMessages: limit(
    "retainedMessages",
    count({ minimum: 0, maximum: MAXIMUM.count }),
    "Retained messages; more are refused with 0x97.",
  ),
  retainedBytes: limit(
    "retainedBytes",
    size({ minimum: 0, maximum: MAXIMUM.bytes }),
    "Retained messages with their topics and properties, in memory and on disk; more are refused with 0x97.",
  ),
  retainedMessagesPerAccount: limit(
    "retainedMessagesPerAccount",
    count({ minimum: 0, maximum: MAXIMUM.count }),
    "Retained messages of one account; more are refused with 0x97. A topic's message is its latest publisher's.",
  ),
  retainedBytesPerAccount: limit(
    "retainedBytesPerAccount",
    size({ minimum: 0, maximum: MAXIMUM.bytes }),
    "Retained messages of one account, with their topics and properties; more are refused with 0x97.",
  ),
  packetRate: limit(
    "packetRate",
    count({ minimum: 0, maximum: MAXIMUM.count }),
    "Packets of any kind per second that one client may send, with a second's worth at once; 0 = no limit.",
  ),
  publishRate: limit(
    "publishRate",
    count({ minimum: 0, maximum: MAXIMUM.count }),
    "Messages per second that one client may send, with a second's worth at once; 0 = no limit.",
  ),
  publishByteRate: limit(
    "publishByteRate",
    size({ minimum: 0, maximum: MAXIMUM.bytes }),
    "Topics and payloads per second that one client may send, with a second's worth at once; 0 = no limit.",
  ),
  ratePolicy: limit(
    "ratePolicy",
    oneOf(
      new Map<string, Limits["ratePolicy"]>([
        ["wait", "wait"],
        ["disconnect", "disconnect"],
      ]),
    ),
    "What happens to a client that sends faster than its rates: nothing is read from it for a while, so that its network " +
      "slows it down, or it is disconnected with 0x96.",
  ),
  takeoversPerMinute: limit(
    "takeoversPerMinute",
    count({ minimum: 0, maximum: MAXIMUM.count }),
    "How often a connection may drive out another one with the same client identifier, with ten seconds' worth at once; " +
      "more are refused with 0x9F. 0 = no limit.",
  ),
  memoryBytes: {
    ...limit(
      "memoryBytes",
      size({ minimum: 0, maximum: MAXIMUM.bytes }),
      "Memory of the process above which load is shed, one step a second: caches, new connections (0x89), QoS 0 to clients " +
        "that have something waiting, new messages (0x97), the connections that have most waiting (0x97). 0 = no limit.",
    ),
    default: "three quarters of what the container allows, otherwise of the machine's memory",
  },
  willBytes: limit(
    "willBytes",
    size({ minimum: 0, maximum: MAXIMUM.bytes }),
    "Wills of all sessions together; a client whose will does not fit is refused with 0x97. A will may not be larger than " +
      "a packet either: 0x95.",
  ),
  redirect: {
    name: "redirect",
    kind: redirect(),
    default: "none",
    description:
      "Sends every client elsewhere: CONNACK 0x9C, or 0x9D when `permanent`, with `serverReference` for clients of 5.0.",
  },
};

function limit<Field extends keyof Limits>(
  field: Field,
  kind: Kind<Limits[Field]>,
  description: string,
  name: string = field,
): Option<Limits[Field]> {
  return { name, kind, default: kind.show(DEFAULT_LIMITS[field]), description };
}

function redirect(): Kind<NonNullable<Limits["redirect"]>> {
  return {
    expected: "`serverReference` (a text) and `permanent` (true or false)",
    read: (value) => {
      if (!(value instanceof Map) || value.size !== 2) return undefined;
      const serverReference: unknown = value.get("serverReference");
      const permanent: unknown = value.get("permanent");
      if (typeof serverReference !== "string" || typeof permanent !== "boolean") return undefined;
      return { value: { serverReference, permanent } };
    },
    accepts: (value) => text.accepts(value.serverReference) && flag.accepts(value.permanent),
    show: (value) => `{ serverReference: ${value.serverReference}, permanent: ${value.permanent} }`,
  };
}
