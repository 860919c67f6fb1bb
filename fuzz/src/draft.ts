// An input that is being changed: bytes that can be inserted, overwritten and removed, up to a largest length.

export class Draft {
  readonly bytes: Uint8Array;
  length = 0;

  /** `maximumLength`: what is inserted beyond it falls off the end. */
  constructor(maximumLength: number) {
    this.bytes = new Uint8Array(maximumLength);
  }

  /** Begins anew with `input`. */
  load(input: Uint8Array): void {
    this.length = 0;
    this.insert(0, input);
  }

  insert(position: number, added: Uint8Array): void {
    const room = this.bytes.length - position;
    if (room <= 0) return;
    const part = added.length > room ? added.subarray(0, room) : added;
    this.bytes.copyWithin(position + part.length, position, this.length);
    this.bytes.set(part, position);
    this.length = Math.min(this.bytes.length, this.length + part.length);
  }

  remove(position: number, count: number): void {
    const end = Math.min(this.length, position + count);
    this.bytes.copyWithin(position, end, this.length);
    this.length -= Math.max(0, end - position);
  }

  /** Overwrites; what would lie behind the end is left out. */
  write(position: number, value: Uint8Array): void {
    for (let index = 0; index < value.length && position + index < this.length; index++) {
      this.bytes[position + index] = value[index] ?? 0;
    }
  }

  /** A copy of `[start, end)`. */
  copy(start = 0, end: number = this.length): Uint8Array {
    return this.bytes.slice(start, Math.min(end, this.length));
  }
}
