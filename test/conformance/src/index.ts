// The public names of the package `@heirloom/conformance`, one by one.

export type { BrokerConfig, Case, ControlledBroker, Controls, Target } from "./case.ts";
export type { Version } from "./build.ts";
export { SkipError } from "./check.ts";
export { coveredCount, markdown, problems, readSpec, type Spec, type Statement } from "./coverage.ts";
export { BROKERS, type BrokerName, type Explanation, explanations } from "./explanations.ts";
export { type Packet, parse } from "./parse.ts";
export { allCases } from "./registry.ts";
export { resultsPage, type Run, unexplained } from "./results-page.ts";
export { type Result, type RunOptions, runConformance } from "./run.ts";
export { matches } from "./matches.ts";
