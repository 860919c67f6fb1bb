// The way in: chunks of a byte stream to packets. Finds the packets' ends, keeps what is left of a cut packet, and
// ends for good with the first error. MQTT 5.0 section 2.1.
import { copyOf, EMPTY, viewOf } from "./bytes.ts";
import { MalformedPacketError, PacketError, PacketTooLargeError, UsageError } from "./errors.ts";
import { firstByteError, legalFirstBytes } from "./first-byte.ts";
import { readBody } from "./packets.ts";
import type { Packet } from "./packets.ts";
import { PacketType } from "./protocol.ts";
import type { ProtocolVersion, Side } from "./protocol.ts";
import { Reader } from "./reader.ts";
import { MAX_VARINT } from "./varint.ts";

const FIXED_HEADER_BYTES = 5;
const MAX_VARINT_BYTES = 4;
const FIRST_CAPACITY_BYTES = 1024;
const FAILED_INPUT_BYTES = 4_096;
// With a quarter at hand there is room for the whole: a packet of 64 KiB, which Node's reads of 64 KiB always cut, is mostly
// put together with one allocation and one copy.
const WHOLE_FROM_PART = 4;

export interface PacketReaderOptions {
  /** Who reads: a `"server"` accepts what clients send. */
  readonly side: Side;
  /** Bytes of a whole packet; 268,435,460, the largest that MQTT knows, unless given. */
  readonly maximumPacketSize?: number;
  /** Bytes of a whole packet other than PUBLISH, when that is less. */
  readonly maximumControlSize?: number;
  /** User Properties of one packet, or of its Will; no limit unless given. One more throws QuotaExceededError. */
  readonly maximumUserProperties?: number;
  /** A client has to give it. A server without it expects CONNECT first and takes the version from there. */
  readonly version?: ProtocolVersion;
}

/**
 * Reads the packets of one connection: `push` what arrives, then call `next` until it returns undefined.
 *
 * Packets that lie whole in a chunk are decoded in place: a `Publish` refers to the chunk, which must not be changed
 * any more. Of a cut packet the part at hand is copied, and memory grows as its bytes arrive, not as it announces.
 */
export class PacketReader {
  readonly side: Side;
  /** What was being read when the decoder failed by a fault of its own, at most 4,096 bytes: not when the bytes are wrong. */
  failedInput: Uint8Array | undefined;
  /** Bytes of a whole packet. A larger one throws PacketTooLargeError as soon as its fixed header is there. */
  maximumPacketSize: number;
  /** The same for packets other than PUBLISH, when that is less. */
  maximumControlSize: number;
  #version: ProtocolVersion | undefined;
  #legalFirstBytes: Uint8Array;
  readonly #reader: Reader = new Reader();
  // What is being read: #bytes[#position, #end).
  #bytes: Uint8Array = EMPTY;
  #position = 0;
  #end = 0;
  // Chunks that were pushed before the one at hand was read.
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  // The beginning of a cut packet: #cut[0, #cutLength).
  #cut: Uint8Array = EMPTY;
  #cutLength = 0;
  // Of the packet at hand, once its fixed header is read: the bytes of the header and of the whole packet.
  #headerSize = 0;
  #packetSize = 0;
  #failure: Error | undefined;
  #isClosed = false;

  /** @throws UsageError when a client gives no version. */
  constructor(options: PacketReaderOptions) {
    const { side, maximumPacketSize = MAX_VARINT + FIXED_HEADER_BYTES, version } = options;
    if (side === "client" && version === undefined) {
      throw new UsageError("a client's PacketReader needs a version");
    }
    this.side = side;
    this.maximumPacketSize = maximumPacketSize;
    this.maximumControlSize = options.maximumControlSize ?? maximumPacketSize;
    this.#version = version;
    this.#legalFirstBytes = legalFirstBytes(side, version);
    this.#reader.maximumUserProperties = options.maximumUserProperties ?? Infinity;
  }

  /**
   * The version that packets are read by; undefined until a server has read CONNECT. Also that of a CONNECT that is wrong
   * behind its protocol level, so that the answer can be one that the client understands.
   */
  get version(): ProtocolVersion | undefined {
    return this.#version ?? this.#reader.connectVersion;
  }

  /** Bytes that were pushed and not yet read. */
  get bufferedBytes(): number {
    return this.#cutLength + this.#end - this.#position + this.#waitingBytes;
  }

  /** Bytes of memory that are kept until packets end: what was pushed and not yet read, and room for what is missing. */
  get heldBytes(): number {
    return this.#cut.length + this.#end - this.#position + this.#waitingBytes;
  }

  /** Forgets what was not read. Nothing more is read: `next` returns undefined. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  /** Takes a chunk, by reference: it must not be changed afterwards. Ignored after an error. */
  push(chunk: Uint8Array): void {
    if (this.#failure !== undefined || this.#isClosed || chunk.length === 0) return;
    if (this.#position === this.#end && this.#waiting.length === 0) {
      this.#begin(chunk);
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
  }

  /**
   * The next packet, or undefined when more bytes are needed.
   *
   * @throws MalformedPacketError, ProtocolError, PacketTooLargeError, UnsupportedProtocolError. Each further call
   * throws the same.
   */
  next(): Packet | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#cutLength === 0 ? this.#nextInPlace() : this.#nextOfCut();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #nextInPlace(): Packet | undefined {
    if (this.#position === this.#end && !this.#beginWaiting()) return undefined;
    const bytes = this.#bytes;
    const start = this.#position;
    this.#readFixedHeader(bytes, start, this.#end);
    if (this.#packetSize === 0 || this.#end - start < this.#packetSize) {
      this.#moveToCut(this.#end - start);
      return this.#nextOfCut();
    }
    this.#position = start + this.#packetSize;
    return this.#decode(bytes, start);
  }

  // Completes the cut packet: its header byte by byte, the rest in pieces as large as there are.
  #nextOfCut(): Packet | undefined {
    while (this.#cutLength !== this.#packetSize) {
      if (this.#position === this.#end && !this.#beginWaiting()) return undefined;
      const missing = this.#packetSize === 0 ? 1 : this.#packetSize - this.#cutLength;
      this.#moveToCut(Math.min(missing, this.#end - this.#position));
      if (this.#packetSize === 0) this.#readFixedHeader(this.#cut, 0, this.#cutLength);
    }
    const cut = this.#cut;
    this.#cut = EMPTY;
    this.#cutLength = 0;
    return this.#decode(cut, 0);
  }

  // Sets #headerSize and #packetSize when bytes[start, end) has the whole fixed header.
  #readFixedHeader(bytes: Uint8Array, start: number, end: number): void {
    const firstByte = bytes[start]!;
    if (this.#legalFirstBytes[firstByte] !== 1) {
      const error = firstByteError(firstByte, this.side, this.#version);
      if (error !== undefined) throw error;
    }
    let remaining = 0;
    for (let index = start + 1; index < end; index++) {
      const byte = bytes[index]!;
      const size = index - start;
      remaining |= (byte & 0x7f) << (7 * (size - 1));
      if (byte < 0x80) {
        this.#headerSize = size + 1;
        this.#packetSize = size + 1 + remaining;
        if (this.#packetSize > this.maximumControlSize || this.#packetSize > this.maximumPacketSize) {
          this.#checkSize(firstByte >> 4);
        }
        return;
      }
      if (size === MAX_VARINT_BYTES) {
        throw new MalformedPacketError("remaining length has more than four bytes");
      }
    }
  }

  #checkSize(type: number): void {
    const { maximumPacketSize, maximumControlSize } = this;
    const isPublish = type === PacketType.PUBLISH;
    const maximum = isPublish ? maximumPacketSize : Math.min(maximumPacketSize, maximumControlSize);
    if (this.#packetSize > maximum) throw new PacketTooLargeError(this.#packetSize, maximum);
  }

  #decode(bytes: Uint8Array, start: number): Packet {
    const firstByte = bytes[start]!;
    const headerSize = this.#headerSize;
    const reader = this.#reader;
    reader.reset(bytes, start + headerSize, start + this.#packetSize);
    this.#packetSize = 0;
    const isShortest = headerSize <= 2 || bytes[start + headerSize - 1] !== 0;
    reader.frameStart = isShortest ? start : -1;
    const packet = readBody(reader, firstByte, this.#version ?? 5, this.side);
    if (this.#version === undefined && packet.type === PacketType.CONNECT) {
      this.#setVersion(packet.protocolVersion);
    }
    // 5.0 [MQTT-1.5.5-1]. 3.1.1 does not demand the shortest form.
    if (!isShortest && this.#version === 5) {
      throw new MalformedPacketError("remaining length is not in its shortest form");
    }
    return packet;
  }

  #setVersion(version: ProtocolVersion): void {
    this.#version = version;
    this.#legalFirstBytes = legalFirstBytes(this.side, version);
  }

  #begin(chunk: Uint8Array): void {
    this.#bytes = chunk;
    this.#position = 0;
    this.#end = chunk.length;
  }

  // Goes on to the chunk that waits longest. An idle connection keeps no chunk alive.
  #beginWaiting(): boolean {
    const chunk = this.#waiting.shift();
    this.#begin(chunk ?? EMPTY);
    if (chunk === undefined) this.#reader.reset(EMPTY, 0, 0);
    else this.#waitingBytes -= chunk.length;
    return chunk !== undefined;
  }

  // Copies the next `count` bytes of the chunk at hand to the cut packet.
  #moveToCut(count: number): void {
    const needed = this.#cutLength + count;
    if (needed > this.#cut.length) {
      const limit = this.#packetSize === 0 ? FIXED_HEADER_BYTES : this.#packetSize;
      const wanted = needed * WHOLE_FROM_PART >= limit ? limit : needed * 2;
      const cut = new Uint8Array(Math.min(limit, Math.max(wanted, FIRST_CAPACITY_BYTES)));
      cut.set(viewOf(this.#cut, 0, this.#cutLength));
      this.#cut = cut;
    }
    this.#cut.set(viewOf(this.#bytes, this.#position, this.#position + count), this.#cutLength);
    this.#cutLength = needed;
    this.#position += count;
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    if (!(error instanceof PacketError)) {
      const { bytes, frameStart } = this.#reader;
      const start = Math.max(0, frameStart);
      this.failedInput = copyOf(bytes, start, Math.min(bytes.length, start + FAILED_INPUT_BYTES));
    }
    this.#drop();
  }

  #drop(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#cut = EMPTY;
    this.#cutLength = 0;
    this.#begin(EMPTY);
    this.#reader.reset(EMPTY, 0, 0);
  }
}

/**
 * Reads `bytes` as one whole packet.
 *
 * @param side who reads; unless given, the side that such a packet is sent to, and `"server"` for those of both.
 * @throws MalformedPacketError when it is less or more than one packet, and as `PacketReader.next`.
 */
export function readPacket(bytes: Uint8Array, version: ProtocolVersion, side?: Side): Packet {
  const reader = new PacketReader({ side: side ?? usualSide(bytes), version });
  reader.push(bytes);
  const packet = reader.next();
  if (packet === undefined) throw new MalformedPacketError("less than one packet");
  if (reader.bufferedBytes > 0) throw new MalformedPacketError("more than one packet");
  return packet;
}

function usualSide(bytes: Uint8Array): Side {
  switch ((bytes[0] ?? 0) >> 4) {
    case PacketType.CONNACK:
    case PacketType.SUBACK:
    case PacketType.UNSUBACK:
    case PacketType.PINGRESP:
      return "client";
    default:
      return "server";
  }
}
