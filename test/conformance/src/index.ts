// The public names of the package `@heirloom/conformance`, one by one.

export type { BrokerConfig, Case, ControlledBroker, Controls, Target } from "./case.ts";
export type { Version } from "./build.ts";
export { SkipError } from "./check.ts";
export { coveredCount, markdown, problems, readSpec, type Spec, type Statement } from "./coverage.ts";
export { type Packet, parse } from "./parse.ts";
export { allCases } from "./registry.ts";
export { type Result, type RunOptions, runConformance } from "./run.ts";
export { matches } from "./matches.ts";
