// The public counters of a broker. All only rise, except those called gauges.

export class Counters {
  connectionsAccepted = 0;
  connectionsRefused = 0;
  /** Gauge. */
  connectionsOpen = 0;
  /** Packets that could not be read: malformed, against the protocol, too large. Each ended its connection. */
  parseErrors = 0;
  /** Those of them that could not be read for a fault of the broker's own: see `Broker.failedInputs`. */
  decoderFailures = 0;
  /** Connections ended because no whole CONNECT came in time. Upgrades to WebSocket that did not end do not count here. */
  handshakesTimedOut = 0;
  /** Handshakes ended because others came and too many were waiting. */
  handshakesDropped = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** Calls of `Transport.write`. */
  writes = 0;
  turns = 0;
  batches = 0;
  publishReceived = 0;
  publishSent = 0;
  /** QoS 1 and 2 PUBLISH that were acknowledged with success. */
  acknowledged = 0;
  /** QoS 1 and 2 and retained PUBLISH that were refused with a reason code. */
  refused = 0;
  /** Deliveries of QoS 1 and 2 that the receiver completed. */
  delivered = 0;
  /** QoS 0 messages not sent because the receiver's output was full. */
  droppedQoS0 = 0;
  /** Messages not sent because they are larger than the receiver's Maximum Packet Size. */
  droppedTooLarge = 0;
  /** PUBLISH that the permissions refused, at any QoS, and wills that they or a hook refused. */
  publishForbidden = 0;
  /** Filters of SUBSCRIBE that the permissions refused, and subscriptions that ended because the rules changed. */
  subscribeForbidden = 0;
  /** Messages not sent because their receiver may not see their topic. */
  droppedForbidden = 0;
  /** Connections ended for what they kept of packets without an end, when all together kept too much. */
  inputDropped = 0;
  /** Deliveries that a hook left out or a receiver refused. */
  droppedRefused = 0;
  /** Deliveries whose message expired while it waited. */
  expired = 0;
  /** Deliveries discarded at a queue's limit. */
  discardedAtLimit = 0;
  /** Deliveries discarded because their session ended. */
  discardedWithSession = 0;
  /** Entries that were found damaged or missing when they were to be delivered. */
  damagedEntries = 0;
  /** Gauge. */
  sessions = 0;
  sessionsExpired = 0;
  takeovers = 0;
  /** Gauge. */
  subscriptions = 0;
  /** Filters that were refused because their session has as many, or as long ones, as it may have. */
  refusedSubscriptions = 0;
  /** Gauge. */
  retained = 0;
  /** Gauge: bytes of retained messages. */
  retainedBytes = 0;
  retainedExpired = 0;
  willsPublished = 0;
  /** Gauge: bytes of the wills of all sessions. */
  willBytes = 0;
  /** Gauge. */
  logs = 0;
  /** Gauge: bytes of log blocks in memory. */
  logCacheBytes = 0;
  /** Gauge: bytes of queued messages that are not on disk yet. */
  unsavedBytes = 0;
  /** Gauge: bytes that wait for sockets, or for the disk before that. */
  /** Gauge: messages that are held for want of room: at most one of each connection, and the application's own. */
  held = 0;
  /** Times that a client was made to wait, or was disconnected, for sending too fast. */
  rateLimited = 0;
  /** CONNECTs that were refused because clients drove each other out too often. */
  flapping = 0;
  /** Gauge: bytes of memory of the process, when it was last looked at. */
  memoryBytes = 0;
  /** Gauge: what is given up for want of memory, 0 = nothing; see `memory-ceiling.ts`. */
  memoryStep = 0;
  /** Connections ended for want of memory. */
  memoryEnded = 0;
  /** Gauge: bytes that wait for sockets. */
  outputBytes = 0;
  /** Gauge: keep alives, expiries and delayed wills that wait for their time. */
  deadlines = 0;
  /** Gauge: bytes of packets that have begun and not ended. */
  inputBytes = 0;
}
