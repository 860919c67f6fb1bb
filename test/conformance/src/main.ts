#!/usr/bin/env node
// The suite on its own:
//   node dist/main.js --host H --port P [--ws-port P] [--version V] [--only TEXT] [--concurrency N]
//                     [--controls MODULE] [--contract] [--skipped] [--json]
import { runCommand } from "./command.ts";

await runCommand(process.argv.slice(2));
