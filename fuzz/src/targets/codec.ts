// The codec under any bytes: packets or one clean error, the same in any slicing, with memory that grows with what came;
// and what was read can be written and read again.
//
//   input: | slicing, side, version | size of slices | bytes of the stream ... |

import {
  encodePacket,
  type Packet,
  PacketError,
  PacketReader,
  type PacketReaderOptions,
  packetSize,
  PacketType,
  type ProtocolVersion,
  Publish,
  readForwardedProperties,
  readPacket,
  type Side,
  writeForwardedProperties,
} from "@heirloom/codec";
import { PACKETS } from "../dictionary.ts";
import { holds, type Meter, type Target } from "../target.ts";
import { isSame, isSameBytes } from "../same.ts";

const MAXIMUM_PACKET_SIZE = 2_048;
/** What a reader may ask for beside what came. For each byte: small packets whose properties have to be gathered. */
const FREE_BYTES = 4_096;
const BYTES_FOR_EACH = 32;

interface Result {
  readonly packets: readonly Packet[];
  readonly error: PacketError | undefined;
}

export function makeTarget({ allocated }: Meter): Target {
  return {
    name: "codec",
    headerBytes: 2,
    maximumLength: 1_024,
    seeds: PACKETS.flatMap((packet) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((how) => Uint8Array.of(how, 3, ...packet)),
    ),
    run: (input) => play(input, allocated),
  };
}

function play(input: Uint8Array, allocated: () => number): void {
  const options = optionsOf(input[0] ?? 0);
  const stream = input.slice(2);
  const before = allocated();
  const whole = readAll([stream], options);
  const asked = allocated() - before;
  const limit = FREE_BYTES + BYTES_FOR_EACH * stream.length;
  holds(asked <= limit, () => `asked for ${asked} bytes for ${stream.length}`);
  const cut = readAll(slices(stream, (input[0] ?? 0) >> 3, input[1] ?? 0), options);
  holds(String(cut.error) === String(whole.error), () => `cut: ${cut.error}; whole: ${whole.error}`);
  holds(cut.packets.length === whole.packets.length, () => "another number of packets when cut");
  const [first] = whole.packets;
  const version = options.version ?? (first?.type === PacketType.CONNECT ? first.protocolVersion : 5);
  for (const [index, packet] of whole.packets.entries()) {
    holds(isSamePacket(packet, cut.packets[index]), () => `packet ${index} is another one when cut`);
    checkWritten(packet, version, options.side);
  }
}

/** A server that waits for CONNECT, or one that has it, or a client. */
function optionsOf(how: number): PacketReaderOptions {
  const maximumPacketSize = MAXIMUM_PACKET_SIZE;
  const choice = how & 7;
  if (choice === 0 || choice === 7) return { side: "server", maximumPacketSize };
  const version: ProtocolVersion = choice % 3 === 0 ? 3 : choice % 3 === 1 ? 4 : 5;
  return { side: choice <= 3 ? "server" : "client", version, maximumPacketSize };
}

/** Pieces of one size; of sizes that change; or one cut. */
function slices(stream: Uint8Array, how: number, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  while (start < stream.length) {
    const step = how % 3 === 0 ? 1 + size : how % 3 === 1 ? 1 + ((size * 7 + pieces.length * 13) & 15) : size;
    const end = how % 3 === 2 && pieces.length > 0 ? stream.length : start + Math.max(1, step);
    pieces.push(stream.slice(start, end));
    start = end;
  }
  return pieces;
}

function readAll(chunks: readonly Uint8Array[], options: PacketReaderOptions): Result {
  const reader = new PacketReader(options);
  const packets: Packet[] = [];
  let error: PacketError | undefined;
  for (const chunk of chunks) {
    reader.push(chunk);
    error = readPushed(reader, packets);
    if (error !== undefined) break;
  }
  if (error !== undefined) checkEnded(reader, error);
  return { packets, error };
}

function readPushed(reader: PacketReader, packets: Packet[]): PacketError | undefined {
  try {
    for (let packet = reader.next(); packet !== undefined; packet = reader.next()) packets.push(packet);
    return undefined;
  } catch (error) {
    if (error instanceof PacketError) return error;
    throw error;
  }
}

/** After its error a reader holds nothing, takes nothing and says the same again. */
function checkEnded(reader: PacketReader, error: PacketError): void {
  holds(error.reasonCode >= 0x80 && error.reasonCode <= 0xff, () => `an error with code ${error.reasonCode}`);
  reader.push(Uint8Array.of(0xc0, 0));
  holds(reader.bufferedBytes === 0, () => `holds ${reader.bufferedBytes} bytes after its error`);
  let again: unknown;
  try {
    reader.next();
  } catch (thrown) {
    again = thrown;
  }
  holds(again === error, () => `another error behind the first: ${String(again)}`);
}

function checkWritten(packet: Packet, version: ProtocolVersion, side: Side): void {
  const bytes = encodePacket(packet, version);
  const size = packetSize(packet, version);
  holds(size === bytes.length, () => `packetSize ${size} of a packet of ${bytes.length} bytes`);
  const again = readPacket(bytes, version, side);
  holds(
    isSamePacket(again, packet),
    () => `written and read again, a packet of type ${packet.type} is another`,
  );
  if (packet instanceof Publish) checkPublish(packet, bytes);
}

function checkPublish(publish: Publish, written: Uint8Array): void {
  const { forwarded, frameStart, source, payloadEnd } = publish;
  const properties = readForwardedProperties(forwarded);
  const again = readForwardedProperties(writeForwardedProperties(properties));
  holds(isSame(again, properties), () => "forwarded properties are others when written and read again");
  // The broker sends the frame on as it came where it has nothing to change in it.
  const isHandedOn = publish.qos === 0 && publish.topicAlias === 0 && publish.messageExpiryInterval === -1;
  if (!isHandedOn || frameStart === -1 || publish.subscriptionIdentifiers.length > 0) return;
  const frame = source.subarray(frameStart, payloadEnd);
  holds(isSameBytes(frame, written), () => "the frame that is handed on is not what would be written");
}

/** A PUBLISH is compared by its meaning: where its payload lies does not matter. */
function isSamePacket(a: Packet, b: Packet | undefined): boolean {
  if (!(a instanceof Publish)) return isSame(a, b);
  return (
    b instanceof Publish &&
    a.topicName === b.topicName &&
    a.qos === b.qos &&
    a.retain === b.retain &&
    a.dup === b.dup &&
    a.packetId === b.packetId &&
    a.topicAlias === b.topicAlias &&
    a.messageExpiryInterval === b.messageExpiryInterval &&
    isSame(a.subscriptionIdentifiers, b.subscriptionIdentifiers) &&
    isSameBytes(a.forwarded, b.forwarded) &&
    isSameBytes(a.payload, b.payload)
  );
}
