// What stands behind the failures of other brokers, one line each, for docs/conformance-results.md. Each was looked at by
// hand and compared with the text of its statement.

/** The brokers of the page, in its order. */
export const BROKERS = [
  { name: "heirloom", label: "heirloom" },
  { name: "mosquitto", label: "Mosquitto 2.0.11 (Debian 12)" },
  { name: "aedes", label: "Aedes 1.2.0" },
] as const;

export type BrokerName = (typeof BROKERS)[number]["name"];

export interface Explanation {
  readonly broker: BrokerName;
  /** Of the case. */
  readonly title: string;
  /** What the broker does. */
  readonly seen: string;
  /** It only takes what it has to refuse; clients that keep to the standard do not notice. */
  readonly lenient?: boolean;
}

function of(
  broker: BrokerName,
  lenient: boolean,
  lines: Readonly<Record<string, string>>,
): readonly Explanation[] {
  return Object.entries(lines).map(([title, seen]) => ({ broker, title, seen, lenient }));
}

export const explanations: readonly Explanation[] = [
  ...of("mosquitto", false, {
    "$share without a slash is an ordinary filter: granted or refused by a code, and no error":
      "SUBSCRIBE to `$share` closes with DISCONNECT 0x82, although only `$share/` is reserved",
    "Maximum Packet Size counts the whole packet; a larger message is dropped for this client only, for good":
      "a client with Maximum Packet Size 100 is sent a packet of 101 bytes",
    "Message Expiry does not delete a QoS 2 exchange once PUBLISH was sent":
      "after PUBREC and a reconnect the PUBREL of a message that has expired meanwhile does not come",
    "QoS 1 and 2 share one quota, and a QoS 2 slot is held until PUBCOMP":
      "with Receive Maximum 2 a third message is sent while two are not acknowledged, once an exchange of QoS 2 is over",
    "a DISCONNECT with any other Reason Code has the Will published":
      "DISCONNECT with 0x80 or above deletes the Will; 0x04 does not",
    "a QoS 2 PUBLISH that is repeated on one connection gets PUBREC each time, and one onward delivery":
      "the second repetition of a QoS 2 PUBLISH before its PUBREL closes the connection; 3.x lets clients repeat",
    "a Shared Subscription gets no retained messages at SUBSCRIBE, but live ones with RETAIN 1":
      "a new Shared Subscription is sent the retained messages",
    "a connection that is closed for its second CONNECT has its Will published":
      "the Will of a connection that is closed for its second CONNECT is not published",
    "a delayed Will is published at Will Delay or at the end of the session, whichever is earlier":
      "with Session Expiry Interval 0 the Will waits for its Will Delay Interval instead of the end of the session",
    "a message that expires while it waits for the quota of a connected client is not sent":
      "the message that waits behind one that expired is not sent when an acknowledgement frees the quota, although later ones are",
    "a message too large for its client takes no slot of the quota, online and from the queue":
      "with Receive Maximum 1 a message that is too large for its client blocks those behind it",
    "a return before Will Delay with Clean Start 1 has the Will published at once":
      "Clean Start 1 ends the old session, but its delayed Will is not published",
    "a second connection with the same ClientID ends the first with DISCONNECT 0x8E":
      "the first connection is closed without the DISCONNECT 0x8E that the statement has",
    "a shared filter that begins with $ after its ShareName matches what it would match unshared":
      "`$share/g/$x/#` gets nothing of what `$x/#` gets",
    "a smaller Receive Maximum on resume holds also for what is sent again, in order":
      "after a resume all unacknowledged messages are sent at once, whatever the new Receive Maximum is",
    "an identifier in use, or awaiting PUBCOMP, is not given to another message, also after the wrap at 65535":
      "after 65535 messages a Packet Identifier that still waits for PUBACK is given to another message",
    "an invalid DISCONNECT is not a normal one: the Will is published":
      "DISCONNECT with a Reason Code that does not exist deletes the Will",
    "takeover closes the first; its Will is published unless it is delayed and the session goes on":
      "at a takeover the Will is lost when Will Delay Interval is 0 and the session goes on, and when it is delayed and the session ends",
    "the same filter again replaces No Local, Retain As Published and the identifier, also by none":
      "a repeated SUBSCRIBE does not set No Local on a subscription that had it not",
  }),
  ...of("mosquitto", true, {
    "DUP with QoS 0 closes the connection": "PUBLISH with DUP 1 at QoS 0 is taken",
    "No Local on a Shared Subscription is a Protocol Error": "No Local on a Shared Subscription is granted",
    "Reason Codes outside the packet's table close the connection":
      "PUBACK, PUBREC, PUBREL and PUBCOMP with Reason Codes that are not in their tables are taken",
    "Remaining Lengths of five bytes, in a longer form (5.0), or unlike the content are malformed":
      "PINGREQ with a byte in it, PUBACK of 3.1.1 with a third byte, and a Remaining Length in a longer form than needed are taken",
    "a ClientId of more than 23 characters is refused with 0x02 in 3.1":
      "longer ClientIds are accepted, as later versions allow; many clients count on it",
    "a Response Topic with wildcards or ill-formed UTF-8 closes, and nothing is routed":
      "a Response Topic with wildcards is passed on",
    "a Subscription Identifier in a client's PUBLISH closes the connection":
      "a client's PUBLISH may carry a Subscription Identifier",
    "a client that exceeds the broker's Receive Maximum is disconnected with 0x93":
      "a message beyond Receive Maximum is answered with PUBREC 0x97 instead of DISCONNECT 0x93",
    "a packet above the broker's Maximum Packet Size closes, in 5.0 with 0x95; one of exactly the size passes":
      "its Maximum Packet Size does not count the fixed header, so slightly larger packets pass",
    "a text frame closes the connection": "a WebSocket text frame is taken like a binary one",
    "of all 256 first bytes only those that a client may send are taken":
      "the reserved flags of PUBACK, PUBREC, PUBCOMP and PINGREQ are not looked at, and a client may send PINGRESP",
    "properties out of their range, and an empty topic without an alias, close the connection":
      "Authentication Data without an Authentication Method is taken",
    "shared filters with a bad ShareName or without a filter never become subscriptions":
      "`$share/g`, `$share//t`, `$share/+/t` and the like are granted",
    "unknown properties, lengths beyond the packet and trailing bytes are malformed":
      "bytes behind the properties of PUBREL are taken",
  }),
  ...of("aedes", false, {
    "CONNACK has no Session Present in 3.1, also when the session is there":
      "CONNACK of 3.1 has a 1 in its reserved byte when the session was there",
    "DUP is 0 at first, whatever the publisher's was, and 1 when resent after a resume, with the same identifier":
      "the publisher's DUP is passed on to subscribers",
    "DUP may be set on SUBSCRIBE, UNSUBSCRIBE and PUBREL in 3.1":
      "a SUBSCRIBE of 3.1 with DUP closes the connection",
    "PUBRELs follow the order of the PUBRECs": "PUBRELs leave in another order than the PUBRECs came",
    "Session Present tells whether a session was resumed":
      "a session that has no subscription is reported as not present",
    "a QoS 0 delivery has DUP 0 and no identifier": "the publisher's DUP is passed on even at QoS 0",
    "a flagged user name or password may be missing in 3.1":
      "a CONNECT of 3.1 whose user name is flagged and missing closes the connection",
    "acknowledgements follow arrival also when some publications take long to be authorised":
      "PUBACKs and PUBRECs overtake that of a message whose `authorizePublish` takes longer",
    "an unsupported protocol level is answered with CONNACK 0x01 and the end of the connection":
      "the connection is closed without CONNACK 0x01",
    "an identifier in use, or awaiting PUBCOMP, is not given to another message, also after the wrap at 65535":
      "after 65535 messages a Packet Identifier that still waits for PUBACK is given to another message",
    "on resume what is unacknowledged comes first, in its order, with its identifiers and DUP, before anything new":
      "what is sent again after a resume has DUP 0",
    "one publisher's messages of a topic and QoS keep their order while the subscriber comes and goes":
      "after a resume newer messages arrive before older ones",
    "overlapping filters deliver at the highest matching QoS":
      "with overlapping filters of QoS 0, 2 and 1 one copy is sent, at QoS 0",
    "retained messages come with RETAIN 1 at the lesser of stored and granted QoS, exact and by wildcard":
      "retained messages are sent at the QoS they were published with, although a lower one was granted",
    "the QoS of a delivery is the lesser of published and granted, online and from the queue":
      "queued messages are sent at the QoS they were published with, although a lower one was granted",
    "the same filter twice in one packet: the second replaces the first, and is unsubscribed once":
      "a SUBSCRIBE that has the same filter twice is answered with one code instead of two",
  }),
  ...of("aedes", true, {
    "ClientId, Will Topic and user name have to be UTF-8 without U+0000":
      "strings of CONNECT that are not UTF-8, or have U+0000 in them, are taken",
    "DUP with QoS 0 closes the connection": "PUBLISH with DUP 1 at QoS 0 is taken",
    "PUBLISH to a topic with wildcards, U+0000 or nothing in it closes, and nothing is routed":
      "a topic with U+0000 in it is taken",
    "Packet Identifier 0 closes the connection in every packet that has one":
      "Packet Identifier 0 is taken and answered",
    "Remaining Lengths of five bytes, in a longer form (5.0), or unlike the content are malformed":
      "PINGREQ with a byte in it, and PUBACK of one byte or of three, are taken",
    "SUBSCRIBE and UNSUBSCRIBE without a filter close the connection":
      "an UNSUBSCRIBE without a filter is answered",
    "Will QoS 3, and Will QoS or Will Retain without Will Flag, close the connection":
      "a CONNECT with Will QoS 3 is accepted",
    "a Will Topic with wildcards, U+0000 or nothing in it is refused at CONNECT":
      "a Will Topic may have wildcards and U+0000, and be empty; such a Will is published",
    "a password without a user name closes the connection in 3.1.1":
      "a password without a user name is accepted",
    "an acknowledgement of the wrong kind does not complete an exchange":
      "an acknowledgement of another kind completes the exchange",
    "an empty ClientId is refused with 0x02 in 3.1": "an empty ClientId is accepted, as 3.1.1 allows",
    "an empty ClientId with CleanSession 0 gets CONNACK 0x02 and the connection closes":
      "an empty ClientId is accepted with CleanSession 0, too",
    "an invalid DISCONNECT is not a normal one: the Will is published":
      "a DISCONNECT with a byte too many counts as a normal one",
    "payload fields that are missing or that no flag announces close the connection":
      "bytes behind the fields that the flags of CONNECT announce are taken",
    "the name MQIsdp belongs to level 3 only": "`MQIsdp` with level 4 is accepted",
    "topics and filters that are not UTF-8, or have U+0000 in them, close the connection":
      "topics and filters that are not UTF-8, or have U+0000 in them, are taken",
  }),
];
