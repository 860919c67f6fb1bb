// Two duplex streams joined in memory: what is written to one is read from the other. `node:stream` has it from Node 22.

import { Duplex } from "node:stream";

class JoinedDuplex extends Duplex {
  #other: JoinedDuplex | undefined;
  /** The write that this side has not read yet. */
  #onRead: (() => void) | undefined;
  #onBytes: () => void;

  constructor(onBytes: () => void) {
    super({ allowHalfOpen: false });
    this.#onBytes = onBytes;
  }

  join(other: JoinedDuplex): void {
    this.#other = other;
  }

  override _read(): void {
    const onRead = this.#onRead;
    this.#onRead = undefined;
    onRead?.();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: () => void): void {
    this.#onBytes();
    const other = this.#other;
    if (other === undefined || other.destroyed || chunk.length === 0) {
      process.nextTick(callback);
      return;
    }
    other.#onRead = callback;
    other.push(chunk);
  }

  override _final(callback: () => void): void {
    this.#endOther();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#endOther();
    this._read();
    callback(error);
  }

  /** The other side reads on to the end of what was written, then sees the end. */
  #endOther(): void {
    this.#onBytes();
    const other = this.#other;
    if (other !== undefined && !other.destroyed && !other.readableEnded) other.push(null);
    this.#other = undefined;
  }
}

/** @param onBytes called whenever something moves between the two. */
export function duplexPair(onBytes: () => void = () => {}): readonly [Duplex, Duplex] {
  const one = new JoinedDuplex(onBytes);
  const other = new JoinedDuplex(onBytes);
  one.join(other);
  other.join(one);
  return [one, other];
}
