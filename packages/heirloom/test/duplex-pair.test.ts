// Two streams joined in memory behave like the two ends of a socket.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { buffer } from "node:stream/consumers";
import { duplexPair } from "../dist/testing/duplex-pair.js";

describe("duplexPair", () => {
  it("carries bytes both ways, in order, up to the end", async () => {
    const [one, other] = duplexPair();
    one.write("a");
    one.end("b");
    other.end("c");
    assert.equal((await buffer(other)).toString(), "ab");
    assert.equal((await buffer(one)).toString(), "c");
  });

  it("holds a writer back while the other side does not read", async () => {
    const [one, other] = duplexPair();
    let written = 0;
    for (let count = 0; count < 100; count++) one.write(Buffer.alloc(1_024), () => written++);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(written < 100, `${written} writes were taken`);
    other.resume();
    one.end();
    await once(one, "finish");
    assert.equal(written, 100);
  });

  it("shows the other side an end when one is destroyed, and closes both", async () => {
    const [one, other] = duplexPair();
    one.write("last");
    other.setEncoding("utf8");
    await once(other, "readable");
    one.destroy();
    let text = "";
    other.on("data", (chunk: string) => (text += chunk));
    await once(other, "close");
    assert.equal(text, "last");
    other.write("nobody");
  });

  it("tells whenever something moves", () => {
    let moves = 0;
    const [one] = duplexPair(() => moves++);
    one.write("a");
    assert.equal(moves, 1);
  });
});
