// The simulation's public names, for its command and its tests.
export { FAULTS, plantFault } from "./faults.ts";
export type { Fault } from "./fault.ts";
export { judgeTheJudge } from "./judge-judge.ts";
export type { Finding } from "./judge-judge.ts";
export type { Rule, Violation } from "./model/report.ts";
export { makePlan } from "./make-plan.ts";
export type { Plan, Step } from "./plan.ts";
export { Random } from "./random.ts";
export { Schedule } from "./schedule.ts";
export { shrink } from "./shrink.ts";
export { simulate } from "./simulation.ts";
export type { Outcome } from "./simulation.ts";
