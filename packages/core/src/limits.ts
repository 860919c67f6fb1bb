// Every limit and switch of a broker with its default. Whatever a peer can make grow has its bound here.

import type { ProtocolVersion, QoS } from "@heirloom/codec";

/** What happens when a lasting session's queue is full. Section "overload" of the contract in docs/architecture.md. */
export type QueuePolicy = "discard-oldest" | "refuse" | "hold";

/** The limits of one broker. All are counted; see `counters.ts`. */
export interface Limits {
  /** Seconds. The longest Keep Alive that is granted, to clients of 3.x too; 0 = no maximum. MQTT 5.0 section 3.2.2.3.14. */
  readonly keepAliveMaximum: number;
  /** Bytes of a whole packet that a client may send. 5.0 section 3.2.2.3.6. */
  readonly maximumPacketSize: number;
  /** Bytes of a whole CONNECT packet. Smaller than `maximumPacketSize`, because nobody is known yet. */
  readonly maximumConnectSize: number;
  /**
   * Bytes of a whole packet other than CONNECT and PUBLISH. Small packets become large in memory: each filter and each
   * User Property is an object.
   */
  readonly maximumControlSize: number;
  /** Milliseconds from accepting a connection to a whole CONNECT. */
  readonly connectTimeoutMs: number;
  /** QoS 1 and 2 PUBLISH that a client may send without waiting. 5.0 section 3.2.2.3.3. */
  readonly receiveMaximum: number;
  /** QoS 1 and 2 PUBLISH that the broker sends without waiting, at most; a client may ask for fewer. */
  readonly sendMaximum: number;
  /** Topic aliases that a client may define. 5.0 section 3.2.2.3.8. */
  readonly topicAliasMaximum: number;
  /** Topic aliases that the broker defines towards one client, at most. */
  readonly sendTopicAliasMaximum: number;
  /** The highest QoS that is granted and accepted. 5.0 section 3.2.2.3.4. */
  readonly maximumQoS: QoS;
  readonly retainAvailable: boolean;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
  readonly subscriptionIdentifiersAvailable: boolean;
  /** Seconds for clients of 3.1 and 3.1.1 with clean session 0; 0xFFFFFFFF = never. */
  readonly sessionExpiryDefault: number;
  /** Seconds. The longest Session Expiry Interval that is granted; 0xFFFFFFFF = no maximum. */
  readonly sessionExpiryMaximum: number;
  /**
   * Messages waiting for one lasting session, on disk, over all its filters. By the policy "discard-oldest" it is cut to this once
   * a second; by "refuse" and "hold" what one turn brings may pass it.
   */
  readonly queueMessages: number;
  /** Bytes likewise. */
  readonly queueBytes: number;
  readonly queuePolicy: QueuePolicy;
  /** Milliseconds that a publisher is held for want of room before its message is refused. */
  readonly holdTimeoutMs: number;
  /** Bytes that one message may take in all logs together: its size times the filters of lasting sessions it matches. */
  readonly messageLogBytes: number;
  /** Messages and bytes waiting in memory for one clean session; beyond them it is disconnected with 0x97. */
  readonly cleanQueueMessages: number;
  readonly cleanQueueBytes: number;
  /**
   * Bytes that wait for one connection's socket. Beyond them QoS 0 messages to it are dropped and counted; at twice as
   * many and one largest packet, nothing more is read from it.
   */
  readonly outputBytes: number;
  /**
   * Bytes that wait for all sockets together. Beyond them each connection has only its share, this divided by the number
   * of connections; beyond twice as many only those with nothing waiting add more, up to four times as many.
   */
  readonly totalOutputBytes: number;
  /** Bytes of queued messages that are not on disk yet. Beyond them publishers are not read until the disk has kept up. */
  readonly unsavedBytes: number;
  /** Bytes of recent log blocks kept in memory for all logs together. */
  readonly logCacheBytes: number;
  /** Levels of a topic name or filter. */
  readonly topicLevels: number;
  /** Characters of a topic name or filter. */
  readonly topicLength: number;
  /** User Properties of one packet. */
  readonly userProperties: number;
  /** Subscriptions of one session, and as many that were replaced or ended and are not read to their end. */
  readonly subscriptionsPerSession: number;
  /** Bytes of the topic filters of one session. */
  readonly subscriptionBytesPerSession: number;
  /** Topic filters of one SUBSCRIBE. */
  readonly subscriptionsPerPacket: number;
  /** Subscriptions of all sessions. */
  readonly subscriptions: number;
  /** Retained messages. */
  readonly retainedMessages: number;
  /** Bytes of all retained messages, topics and properties included. */
  readonly retainedBytes: number;
  /** The same of one account: what its clients published last, topic by topic. */
  readonly retainedMessagesPerAccount: number;
  readonly retainedBytesPerAccount: number;
  /** Bytes of the wills of all sessions, topics and properties included. */
  readonly willBytes: number;
  /** Connections at the same time, from CONNECT on. */
  readonly connections: number;
  /** Connections of one account at the same time. */
  readonly connectionsPerAccount: number;
  /** Sessions, connected or not. */
  readonly sessions: number;
  /** Sessions of one account, connected or not. */
  readonly sessionsPerAccount: number;
  /**
   * Who may take up a session: only the account that made it, or anyone who knows the client identifier. A session that
   * was made without an account belongs to whoever comes first with one.
   */
  readonly sessionOwner: "account" | "anyone";
  /**
   * Whether a retained message is left out while the account that published it may not publish to its topic any more.
   */
  readonly checkRetainedPublisher: boolean;
  /** Connections whose CONNECT was not accepted yet. One more ends the one that has waited longest. */
  readonly pendingConnections: number;
  /**
   * Bytes of packets that have begun and not ended, of all connections together. Beyond them a connection that keeps more
   * than its share, this divided by the number of connections, is ended with 0x97.
   */
  readonly totalInputBytes: number;
  /** Packets per second that one client may send; 0 = no limit. */
  readonly packetRate: number;
  /** PUBLISH per second that one client may send; 0 = no limit. */
  readonly publishRate: number;
  /** Bytes of topics and payloads per second that one client may send; 0 = no limit. */
  readonly publishByteRate: number;
  /** Who sends faster has to wait: nothing is read for a while; or is disconnected with 0x96. */
  readonly ratePolicy: "wait" | "disconnect";
  /** How often, per minute, a client may drive out another connection with its identifier; 0 = no limit. */
  readonly takeoversPerMinute: number;
  /** Bytes of memory of the process above which load is shed; 0 = no limit. See `memory-ceiling.ts` for the order. */
  readonly memoryBytes: number;
  /** Whether Payload Format Indicator 1 is checked to be UTF-8. 5.0 section 3.3.2.3.2. */
  readonly checkPayloadFormat: boolean;
  /** Versions that are accepted. */
  readonly protocolVersions: readonly ProtocolVersion[];
  /** Accept an empty ClientId and assign one. */
  readonly allowEmptyClientId: boolean;
  /**
   * Where U+0001 to U+001F and U+007F to U+009F may stand: in topics, or also in client identifiers and user names, or
   * nowhere. 5.0 section 1.5.4.
   */
  readonly controlCharacters: "nowhere" | "topics" | "everywhere";
  /** AUTH packets that a client may send in one authentication; each has `connectTimeoutMs`. 5.0 section 4.12. */
  readonly authenticationRounds: number;
  /** Sends every client elsewhere: CONNACK 0x9C (`temporary`) or 0x9D with this Server Reference. 5.0 section 4.11. */
  readonly redirect: { readonly serverReference: string; readonly permanent: boolean } | undefined;
}

/** The defaults. `docs/reference/configuration.md` lists them for users. */
export const DEFAULT_LIMITS: Limits = {
  keepAliveMaximum: 0,
  maximumPacketSize: 1_048_576 * 16,
  maximumConnectSize: 262_144,
  maximumControlSize: 1_048_576,
  connectTimeoutMs: 10_000,
  receiveMaximum: 65_535,
  sendMaximum: 1_024,
  topicAliasMaximum: 64,
  sendTopicAliasMaximum: 64,
  maximumQoS: 2,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  subscriptionIdentifiersAvailable: true,
  sessionExpiryDefault: 0xffff_ffff,
  sessionExpiryMaximum: 0xffff_ffff,
  queueMessages: 1_000_000,
  queueBytes: 1_073_741_824,
  queuePolicy: "discard-oldest",
  holdTimeoutMs: 60_000,
  messageLogBytes: 67_108_864,
  cleanQueueMessages: 100_000,
  cleanQueueBytes: 67_108_864,
  outputBytes: 8_388_608,
  totalOutputBytes: 536_870_912,
  unsavedBytes: 67_108_864,
  logCacheBytes: 67_108_864,
  topicLevels: 128,
  topicLength: 65_535,
  userProperties: 256,
  subscriptionsPerSession: 10_000,
  subscriptionBytesPerSession: 4_194_304,
  subscriptionsPerPacket: 1_000,
  subscriptions: 10_000_000,
  retainedMessages: 10_000_000,
  retainedBytes: 1_073_741_824,
  retainedMessagesPerAccount: 10_000_000,
  retainedBytesPerAccount: 1_073_741_824,
  willBytes: 268_435_456,
  connections: 1_000_000,
  connectionsPerAccount: 1_000_000,
  sessions: 10_000_000,
  sessionsPerAccount: 10_000_000,
  sessionOwner: "account",
  checkRetainedPublisher: true,
  pendingConnections: 20_000,
  totalInputBytes: 268_435_456,
  packetRate: 0,
  publishRate: 0,
  publishByteRate: 0,
  ratePolicy: "wait",
  takeoversPerMinute: 120,
  memoryBytes: 0,
  checkPayloadFormat: false,
  protocolVersions: [3, 4, 5],
  allowEmptyClientId: true,
  controlCharacters: "topics",
  authenticationRounds: 10,
  redirect: undefined,
};

/** One listener: where connections come from, with what differs there from the broker's limits. */
export interface Listener {
  readonly name: string;
  /** Whether clients without user name are taken; a connect hook may still refuse them. */
  readonly allowAnonymous: boolean;
  /** What is put before all topics of its clients, such as "tenant/"; it ends with "/". Absent or "" = nothing. */
  readonly mountPoint?: string;
  readonly maximumPacketSize?: number;
  readonly keepAliveMaximum?: number;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly protocolVersions?: readonly ProtocolVersion[];
  readonly publishRate?: number;
  readonly publishByteRate?: number;
  /** PUBLISH per second of all its clients together; absent or 0 = no limit. */
  readonly totalPublishRate?: number;
  /** Bytes of topics and payloads per second of all its clients together; absent or 0 = no limit. */
  readonly totalPublishByteRate?: number;
}
