#!/usr/bin/env node
// The command: prints what is missing between the standard's statements and the cases (exit 1), and writes the table.
//   node dist/trace.js [FILE.md]
import { writeFile } from "node:fs/promises";
import { coveredCount, markdown, problems, readSpec } from "./coverage.ts";
import { allCases } from "./registry.ts";

const spec = await readSpec();
const found = problems(spec);
for (const problem of found) console.log(problem);
console.log(
  `${spec.statements.length} statements, ${coveredCount(spec)} with cases; ${allCases.length} cases; ${spec.hard.size} hard cases`,
);
const [path] = process.argv.slice(2);
if (path !== undefined) await writeFile(path, markdown(spec));
process.exitCode = found.length > 0 ? 1 : 0;
