#!/usr/bin/env node
// The command `heirloom`.

import { run } from "./run.ts";

const [command, ...rest] = process.argv.slice(2);
if (command === "conformance") {
  const { runCommand } = await import("@heirloom/conformance/command");
  await runCommand(rest);
} else if (command === "repair") {
  const { repair } = await import("./repair.ts");
  await repair(rest);
} else if (command === "passwd") {
  const { passwd } = await import("./passwd.ts");
  await passwd(rest);
} else if (command === "doctor") {
  const { doctor } = await import("./doctor.ts");
  await doctor(rest);
} else {
  await run(process.argv.slice(2));
}
