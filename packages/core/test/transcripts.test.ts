// Runs the conversations in `transcripts/`. `UPDATE_TRANSCRIPTS=1` writes down what happens now; read the difference.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { runTranscript } from "@heirloom/core/testing";

const folder = new URL("../test/transcripts/", import.meta.url);

for (const name of readdirSync(folder).sort()) {
  const file = new URL(name, folder);
  const text = readFileSync(file, "utf8");
  const title = /^# (.*)$/m.exec(text)?.[1] ?? name;
  test(`${title} (${name})`, async () => {
    const happened = await runTranscript(text);
    if (process.env["UPDATE_TRANSCRIPTS"] === "1") writeFileSync(file, happened);
    else assert.equal(happened, text);
  });
}
