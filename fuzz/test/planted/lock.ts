// A fault behind four doors in a row. It is instrumented like the codec, so that each door that opens can be seen.

const WORD = [0x82, 0x24, 0xed, 0x7f];

/** @throws Error when the bytes begin with the word. */
export function tryLock(bytes: Uint8Array): void {
  let opened = 0;
  for (const byte of bytes) {
    if (byte !== WORD[opened]) return;
    if (opened === 0) opened = 1;
    else if (opened === 1) opened = 2;
    else if (opened === 2) opened = 3;
    else throw new Error("the fault behind the last door");
  }
}
