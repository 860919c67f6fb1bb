// What can go wrong: the peer's faults carry the reason code to answer with, the caller's faults are UsageError.
// Messages say what was seen and what was expected, never a payload or a password.

/** The peer broke the protocol. Its connection ends; `reasonCode` is what MQTT 5.0 answers (section 4.13). */
export class PacketError extends Error {
  /** Stable, for programs: `MALFORMED_PACKET`, `PROTOCOL_ERROR`, `PACKET_TOO_LARGE`, `QUOTA_EXCEEDED`,
   * `UNSUPPORTED_PROTOCOL`. */
  readonly code: string;
  /** A reason code of MQTT 5.0, 0x80 or above. */
  readonly reasonCode: number;

  constructor(message: string, code: string, reasonCode: number) {
    super(message);
    this.code = code;
    this.reasonCode = reasonCode;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/** The bytes are no packet: reason code 0x81. */
export class MalformedPacketError extends PacketError {
  constructor(message: string) {
    super(message, "MALFORMED_PACKET", 0x81);
  }
}

/** The packet can be read, but says what must not be said: 0x82 or the more specific reason code given. */
export class ProtocolError extends PacketError {
  constructor(message: string, reasonCode: number = 0x82, code: string = "PROTOCOL_ERROR") {
    super(message, code, reasonCode);
  }
}

/** The packet has more of something than is accepted: reason code 0x97. */
export class QuotaExceededError extends ProtocolError {
  constructor(message: string) {
    super(message, 0x97, "QUOTA_EXCEEDED");
  }
}

/** The packet is larger than `maximumPacketSize`: reason code 0x95. Thrown when its fixed header is read. */
export class PacketTooLargeError extends ProtocolError {
  constructor(size: number, maximumPacketSize: number) {
    super(
      `a packet of ${String(size)} bytes; at most ${String(maximumPacketSize)} are accepted`,
      0x95,
      "PACKET_TOO_LARGE",
    );
  }
}

/**
 * CONNECT names a protocol or a level that is not one of MQTT 3.1, 3.1.1 and 5.0: reason code 0x84.
 * A server answers the 3.1.1 form `20 02 00 01`, which every client can read - 3.1.1 [MQTT-3.1.2-2].
 */
export class UnsupportedProtocolError extends ProtocolError {
  readonly protocolName: string;
  readonly level: number;

  constructor(protocolName: string, level: number) {
    const shown = JSON.stringify(protocolName.slice(0, 32));
    super(
      `protocol ${shown} level ${String(level)}; MQIsdp 3, MQTT 4 and MQTT 5 are supported`,
      0x84,
      "UNSUPPORTED_PROTOCOL",
    );
    this.protocolName = protocolName;
    this.level = level;
  }
}

/** Our caller asked for something that cannot be encoded, or used an object in a way that its description forbids. */
export class UsageError extends Error {
  readonly code = "USAGE";

  override get name(): string {
    return "UsageError";
  }
}
