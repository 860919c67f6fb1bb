export type { BrokerConfig, Case, ControlledBroker, Controls, Target } from "./case.ts";
export type { Version } from "./build.ts";
export { SkipError } from "./check.ts";
export { allCases } from "./registry.ts";
export { type Result, type RunOptions, runConformance } from "./run.ts";
