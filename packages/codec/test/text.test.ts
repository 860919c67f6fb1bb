// Decoding where there is no Buffer.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const program = `
  delete globalThis.Buffer;
  const { readPacket } = await import("@heirloom/codec");
  const topic = (...bytes) => readPacket(Uint8Array.of(0x30, bytes.length + 2, 0, bytes.length, ...bytes), 4).topicName;
  const names = [topic(0x61, 0x2f), topic(0xef, 0xbb, 0xbf, 0x61), topic(0xf0, 0x9f, 0x98, 0x80, 0xc3, 0xa9)];
  console.log(JSON.stringify([typeof globalThis.Buffer, ...names]));
`;

test("decodes without Node's Buffer, as in a browser, and keeps U+FEFF - 5.0 [MQTT-1.5.4-3] - attack PARSE-15", async () => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname,
  });
  assert.deepEqual(JSON.parse(stdout), ["undefined", "a/", "\ufeffa", "\u{1f600}é"]);
});
