// Makes new inputs from old ones. Knows how packets are built, so that what it breaks is one thing at a time: lengths
// are put right again most of the time, or nearly every input would end at the first fixed header.

import { BYTES, PACKETS, PROPERTIES, STRINGS, VARINTS, WORDS } from "./dictionary.ts";
import { Draft } from "./draft.ts";
import { type Frame, framesOf, packetIdAt, propertiesAt, varint, varintAt } from "./frames.ts";
import type { Random } from "./random.ts";

const MAX_STEPS = 6;

export interface MutatorOptions {
  /** Leading bytes of an input that are no packets but say how they are played. */
  readonly headerBytes: number;
  readonly maximumLength: number;
}

/** Changes one packet; its frame is the place that it had before the change. */
type FrameChange = (frame: Frame) => void;

export class Mutator {
  readonly #random: Random;
  readonly #headerBytes: number;
  readonly #draft: Draft;
  readonly #inFrame: readonly FrameChange[];
  #other: Uint8Array = new Uint8Array();

  constructor(random: Random, { headerBytes, maximumLength }: MutatorOptions) {
    this.#random = random;
    this.#headerBytes = headerBytes;
    this.#draft = new Draft(maximumLength);
    this.#inFrame = [
      (frame) => this.#flipBit(frame),
      (frame) => this.#writeAt(frame, Uint8Array.of(random.pick(BYTES))),
      (frame) => this.#writeAt(frame, Uint8Array.of(random.below(256))),
      (frame) => this.#writeAt(frame, wordOf(random.pick(WORDS))),
      (frame) => this.#insertAt(frame, Uint8Array.of(random.below(256))),
      (frame) => this.#insertAt(frame, random.pick(STRINGS)),
      (frame) => this.#insertAt(frame, random.pick(VARINTS)),
      (frame) => this.#draft.remove(this.#placeIn(frame), 1 + random.below(random.oneIn(4) ? 16 : 3)),
      (frame) => this.#repeatPart(frame),
      (frame) => this.#addProperty(frame),
      (frame) => this.#addProperty(frame),
      (frame) => this.#repeatProperties(frame),
      (frame) => this.#changeFirstByte(frame),
      (frame) => this.#changePacketId(frame),
    ];
  }

  /** `other`: another input, for parts to take over. */
  mutate(input: Uint8Array, other: Uint8Array): Uint8Array {
    const random = this.#random;
    const draft = this.#draft;
    draft.load(input);
    this.#other = other;
    if (random.oneIn(4)) this.#changeHeader();
    // Half of the time one change alone: the next condition is mostly one byte away.
    for (let steps = random.oneIn(2) ? 1 : 1 + random.below(MAX_STEPS); steps > 0; steps--) this.#step();
    // Most changes add something: without an end to it, all inputs would become as long and as slow as they may.
    return draft.copy(0, random.oneIn(8) ? draft.length : Math.min(draft.length, draft.bytes.length >> 2));
  }

  #step(): void {
    const random = this.#random;
    const frames = framesOf(this.#draft.bytes, this.#headerBytes, this.#draft.length);
    if (frames.length === 0) {
      this.#draft.insert(this.#headerBytes, random.pick(PACKETS));
      return;
    }
    const frame = random.pick(frames);
    if (random.oneIn(4)) {
      this.#changeOrder(frame, random.pick(frames));
      return;
    }
    const { length } = this.#draft;
    random.pick(this.#inFrame)(frame);
    if (!random.oneIn(5)) this.#fixLength(frame, this.#draft.length - length);
  }

  #changeHeader(): void {
    const position = this.#random.below(this.#headerBytes);
    this.#draft.write(position, Uint8Array.of(this.#random.below(256)));
  }

  // --- packets ---------------------------------------------------------------------------------------------------

  #changeOrder(frame: Frame, place: Frame): void {
    const random = this.#random;
    const draft = this.#draft;
    switch (random.below(6)) {
      case 0:
        draft.insert(place.start, draft.copy(frame.start, frame.end));
        break;
      case 1:
        draft.remove(frame.start, frame.end - frame.start);
        break;
      case 2:
        draft.insert(frame.end, random.pick(PACKETS));
        break;
      case 3:
        this.#insertOfOther(frame.end);
        break;
      case 4:
        // The end of the other input instead of this one's.
        draft.remove(frame.start, draft.length);
        this.#insertOfOther(frame.start);
        break;
      default: {
        const moved = draft.copy(frame.start, frame.end);
        draft.remove(frame.start, moved.length);
        draft.insert(Math.min(place.start, draft.length), moved);
      }
    }
  }

  #insertOfOther(position: number): void {
    const other = this.#other;
    const frames = framesOf(other, this.#headerBytes, other.length);
    if (frames.length === 0) return;
    const { start, end } = this.#random.pick(frames);
    this.#draft.insert(position, other.subarray(start, this.#random.oneIn(2) ? other.length : end));
  }

  // --- inside a packet -------------------------------------------------------------------------------------------

  #placeIn({ start, end }: Frame): number {
    return start + this.#random.below(Math.max(1, end - start));
  }

  #flipBit(frame: Frame): void {
    const place = this.#placeIn(frame);
    const byte = this.#draft.bytes[place] ?? 0;
    this.#draft.write(place, Uint8Array.of(byte ^ (1 << this.#random.below(8))));
  }

  #writeAt(frame: Frame, value: Uint8Array): void {
    this.#draft.write(this.#placeIn(frame), value);
  }

  #insertAt(frame: Frame, value: Uint8Array): void {
    this.#draft.insert(frame.body + this.#random.below(frame.end - frame.body + 1), value);
  }

  #repeatPart(frame: Frame): void {
    const start = this.#placeIn(frame);
    const part = this.#draft.copy(start, start + 1 + this.#random.below(12));
    for (let times = this.#random.oneIn(8) ? 20 : 1; times > 0; times--) this.#draft.insert(start, part);
  }

  #addProperty(frame: Frame): void {
    this.#addToProperties(frame, this.#random.pick(PROPERTIES));
  }

  #repeatProperties(frame: Frame): void {
    const position = propertiesAt(this.#draft.bytes, frame);
    if (position < 0) return;
    const { value, size } = varintAt(this.#draft.bytes, position, frame.end);
    this.#addToProperties(
      frame,
      this.#draft.copy(position + size, Math.min(frame.end, position + size + value)),
    );
  }

  /** Puts bytes in front of the properties of a packet, and counts them in its Property Length. */
  #addToProperties(frame: Frame, added: Uint8Array): void {
    const draft = this.#draft;
    const position = propertiesAt(draft.bytes, frame);
    if (position < 0) return;
    const { value, size } = varintAt(draft.bytes, position, frame.end);
    draft.remove(position, size);
    draft.insert(position, added);
    draft.insert(position, varint(value + added.length));
  }

  #changeFirstByte({ start }: Frame): void {
    const random = this.#random;
    const byte = random.oneIn(2) ? (random.pick(PACKETS)[0] ?? 0) : random.below(256);
    this.#draft.write(start, Uint8Array.of(byte));
  }

  #changePacketId(frame: Frame): void {
    const position = packetIdAt(this.#draft.bytes, frame);
    if (position >= 0) this.#draft.write(position, wordOf(this.#random.below(6)));
  }

  /** Adds what the packet has grown by to its Remaining Length. */
  #fixLength({ start, end }: Frame, growth: number): void {
    if (growth === 0) return;
    const draft = this.#draft;
    const { size } = varintAt(draft.bytes, start + 1, draft.length);
    const remaining = Math.max(0, end + growth - start - 1 - size);
    draft.remove(start + 1, size);
    draft.insert(start + 1, varint(remaining));
  }
}

function wordOf(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
