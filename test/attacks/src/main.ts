// The command `npm run attacks`: writes docs/security-coverage.md and says what is missing. Fails on what is wrong.

import { writeFileSync } from "node:fs";
import { IS_STRICT, missing, page, problems, readCoverage, summary } from "./coverage.ts";
import { ROOT } from "./rows.ts";

const coverage = readCoverage();
const wrong = problems(coverage);
const open = missing(coverage);
writeFileSync(`${ROOT}docs/security-coverage.md`, page(coverage));
for (const problem of wrong) console.log(problem);
if (open.length > 0) console.log(`without test or reason: ${open.join(" ")}`);
console.log(summary(coverage));
process.exitCode = wrong.length > 0 || (IS_STRICT && open.length > 0) ? 1 : 0;
