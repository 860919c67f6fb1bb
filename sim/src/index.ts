// The simulation's public names, for its command and its tests.
export { makePlan } from "./plan.ts";
export type { Plan } from "./plan.ts";
export { simulate } from "./simulation.ts";
export type { Outcome } from "./simulation.ts";
