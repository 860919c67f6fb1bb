// The properties of the PUBLISH that was read last, with what they said: the same bytes say the same again.
import { EMPTY } from "./bytes.ts";

/** Longer ones are read anew each time. The Property Length of these takes one byte. */
const LONGEST = 127;

/** What the properties of a PUBLISH say, those that are forwarded by their place. */
export interface PropertiesSaid {
  /** Seconds; -1 when there is none. */
  readonly messageExpiryInterval: number;
  /** 0 when there is none. */
  readonly topicAlias: number;
  /** Where the forwarded properties begin, counted from the Property Length; they reach to the end. -1 when there are none. */
  readonly forwardedOffset: number;
}

/** A place to read from. */
interface Place {
  readonly bytes: Uint8Array;
  readonly position: number;
  readonly end: number;
}

export class LastProperties implements PropertiesSaid {
  messageExpiryInterval = -1;
  topicAlias = 0;
  forwardedOffset = -1;
  /** Bytes with the Property Length; 0 when none are remembered. */
  length = 0;
  #bytes: Uint8Array = EMPTY;

  /** Whether the same properties stand at the reader's place. */
  isAt({ bytes, position, end }: Place): boolean {
    const { length } = this;
    // The first byte is their length: another one ends the comparison at once.
    if (length === 0 || position + length > end) return false;
    const last = this.#bytes;
    for (let index = 0; index < length; index++) {
      if (last[index] !== bytes[position + index]) return false;
    }
    return true;
  }

  /** Remembers the properties from `start` up to the reader's place, which were read and found right. */
  remember({ bytes, position }: Place, start: number, said: PropertiesSaid): void {
    const length = position - start;
    // No property is as quick to read as to recognise.
    if (length === 1 || length > LONGEST + 1) return;
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(LONGEST + 1);
    this.#bytes.set(bytes.subarray(start, position));
    this.length = length;
    this.messageExpiryInterval = said.messageExpiryInterval;
    this.topicAlias = said.topicAlias;
    this.forwardedOffset = said.forwardedOffset;
  }
}
