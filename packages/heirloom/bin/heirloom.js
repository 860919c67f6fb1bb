#!/usr/bin/env node
// The command. Stands outside of `dist`, so that npm can link it in a clone that is not built yet.

import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error("heirloom: not built yet; `npm start` in the repository builds it");
  process.exitCode = 70;
}
