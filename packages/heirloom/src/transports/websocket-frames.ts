// The frames of WebSocket, RFC 6455 section 5, as a server needs them for MQTT. Pure: chunks in, bytes out.
//
//   0                 1                 2 .. 9              4 bytes        payload
//   FIN RSV3 OPCODE4  MASK LENGTH7      LENGTH16 or 64      MASKING KEY
//
// MQTT does not care where frames begin and end, so no frame is ever collected: what a chunk holds of payloads is
// unmasked in place, moved together, and handed on at once. A frame of any length costs no memory.

const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Close codes of RFC 6455 section 7.4.1. */
export const CloseCode = { NORMAL: 1000, PROTOCOL_ERROR: 1002, UNSUPPORTED_DATA: 1003 } as const;

/** Bytes of the longest header, and of the longest payload of a control frame. */
const LONGEST_HEADER = 14;
const LONGEST_CONTROL_PAYLOAD = 125;

/** What a {@link FrameReader} finds. */
export interface FrameHandler {
  /** Payload of binary frames. A part of the chunk that was pushed. */
  data(bytes: Uint8Array): void;
  /** `payload` has to be answered with. Only valid during the call. */
  ping(payload: Uint8Array): void;
  /** The peer closes. Nothing is reported after it. */
  closedByFrame(): void;
  /** The peer broke the protocol. Nothing is reported after it. */
  failed(closeCode: number, message: string): void;
}

/** Reads the frames of one client. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #header: Uint8Array = new Uint8Array(LONGEST_HEADER);
  #headerLength = 0;
  /** 2 until the second byte is known, then 6, 8 or 14. */
  #headerNeeded = 2;
  /** Bytes of payload still to come; -1 while a header is read. */
  #remaining = -1;
  #opcode = 0;
  /** Place in the masking key, which begins anew with each frame. */
  #maskIndex = 0;
  /** Whether the last binary frame announced continuation frames. */
  #isFragmented = false;
  readonly #control: Uint8Array = new Uint8Array(LONGEST_CONTROL_PAYLOAD);
  #controlLength = 0;
  #end: "none" | "closed" | { readonly closeCode: number; readonly message: string } = "none";

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Takes what arrived, up to the end of the connection. The chunk is written to. */
  push(chunk: Uint8Array): void {
    if (this.#isOver) return;
    const length = this.#read(chunk);
    if (length > 0) this.#handler.data(chunk.subarray(0, length));
    if (this.#end === "closed") this.#handler.closedByFrame();
    else if (this.#end !== "none") this.#handler.failed(this.#end.closeCode, this.#end.message);
  }

  /** @returns how many bytes of binary payload now stand at the beginning of the chunk. */
  #read(chunk: Uint8Array): number {
    let read = 0;
    let written = 0;
    while (read < chunk.length && !this.#isOver) {
      if (this.#remaining < 0) {
        this.#readHeaderByte(chunk[read++] ?? 0);
        continue;
      }
      const count = Math.min(this.#remaining, chunk.length - read);
      if (this.#opcode >= Opcode.CLOSE) {
        this.#unmask(chunk, read, count, this.#control, this.#controlLength);
        this.#controlLength += count;
      } else {
        // What is written never overtakes what is read: there is a header between the two.
        this.#unmask(chunk, read, count, chunk, written);
        written += count;
      }
      read += count;
      this.#remaining -= count;
      if (this.#remaining === 0) this.#endFrame();
    }
    return written;
  }

  get #isOver(): boolean {
    return this.#end !== "none";
  }

  #readHeaderByte(byte: number): void {
    this.#header[this.#headerLength++] = byte;
    if (this.#headerLength < this.#headerNeeded) return;
    if (this.#headerLength > 2) {
      this.#beginPayload();
      return;
    }
    const length = byte & 0x7f;
    this.#headerNeeded = length < 126 ? 6 : length === 126 ? 8 : LONGEST_HEADER;
    const message = this.#startFault(this.#header[0] ?? 0, (byte & 0x80) !== 0, length);
    if (message !== undefined) {
      const isText = this.#opcode === Opcode.TEXT;
      this.#end = { closeCode: isText ? CloseCode.UNSUPPORTED_DATA : CloseCode.PROTOCOL_ERROR, message };
    }
  }

  /** Says what is wrong with the first two bytes of a frame. */
  #startFault(first: number, isMasked: boolean, length: number): string | undefined {
    const isFinal = (first & 0x80) !== 0;
    this.#opcode = first & 0x0f;
    if ((first & 0x70) !== 0) return "a frame has reserved bits set";
    if (!isMasked) return "a frame of a client is not masked";
    switch (this.#opcode) {
      case Opcode.BINARY:
        if (this.#isFragmented) return "a new message begins inside of a fragmented one";
        this.#isFragmented = !isFinal;
        return undefined;
      case Opcode.CONTINUATION:
        if (!this.#isFragmented) return "a continuation frame continues nothing";
        this.#isFragmented = !isFinal;
        return undefined;
      case Opcode.TEXT:
        // 5.0 [MQTT-6.0.0-1], 3.1.1 [MQTT-6.0.0-1].
        return "a text frame was received, expected binary frames";
      case Opcode.CLOSE:
      case Opcode.PING:
      case Opcode.PONG:
        return isFinal && length <= LONGEST_CONTROL_PAYLOAD
          ? undefined
          : "a control frame is fragmented or too long";
      default:
        return `a frame has the unknown opcode ${this.#opcode}`;
    }
  }

  #beginPayload(): void {
    const view = new DataView(this.#header.buffer);
    const length = view.getUint8(1) & 0x7f;
    // 2^53 bytes do not arrive in anyone's life; so the loss of precision above them does not matter.
    this.#remaining =
      length < 126 ? length : length === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
    this.#maskIndex = 0;
    this.#controlLength = 0;
    if (this.#remaining === 0) this.#endFrame();
  }

  #endFrame(): void {
    if (this.#opcode === Opcode.PING) this.#handler.ping(this.#control.subarray(0, this.#controlLength));
    else if (this.#opcode === Opcode.CLOSE) this.#end = "closed";
    this.#remaining = -1;
    this.#headerLength = 0;
    this.#headerNeeded = 2;
  }

  #unmask(from: Uint8Array, fromIndex: number, count: number, to: Uint8Array, toIndex: number): void {
    const header = this.#header;
    const keyIndex = this.#headerNeeded - 4;
    const maskIndex = this.#maskIndex;
    for (let index = 0; index < count; index++) {
      to[toIndex + index] =
        (from[fromIndex + index] ?? 0) ^ (header[keyIndex + ((maskIndex + index) & 3)] ?? 0);
    }
    this.#maskIndex = (maskIndex + count) & 3;
  }
}

/** One binary frame with all of `bytes`. Frames of a server are not masked. */
export function binaryFrame(bytes: Uint8Array): Uint8Array {
  return frame(Opcode.BINARY, bytes);
}

/** The answer to a ping. */
export function pongFrame(payload: Uint8Array): Uint8Array {
  return frame(Opcode.PONG, payload);
}

/** The last frame. */
export function closeFrame(closeCode: number): Uint8Array {
  return frame(Opcode.CLOSE, Uint8Array.of(closeCode >> 8, closeCode & 0xff));
}

function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = new Uint8Array(headerLength + length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x80 | opcode);
  if (headerLength === 2) {
    view.setUint8(1, length);
  } else if (headerLength === 4) {
    view.setUint8(1, 126);
    view.setUint16(2, length);
  } else {
    view.setUint8(1, 127);
    view.setBigUint64(2, BigInt(length));
  }
  bytes.set(payload, headerLength);
  return bytes;
}
