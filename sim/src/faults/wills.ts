// Planted faults in wills: published too early, twice, without need, or not at all.

import { LastingSession } from "../../../packages/core/dist/sessions/lasting-session.js";
import { SessionTable } from "../../../packages/core/dist/sessions/session-table.js";
import { type Fault, replace } from "../fault.ts";
import type { Plan, Step } from "../plan.ts";

/** Every other CONNECT has Clean Start 1, and wills wait. */
function startClean(plan: Plan): Plan {
  const steps = plan.steps.map((step): Step => {
    const { what, seed } = step;
    if (what.kind !== "connect") return step;
    const will = what.will === undefined ? undefined : { ...what.will, delayInterval: 30 };
    return { ...step, what: { ...what, will, cleanStart: seed % 2 === 0 } };
  });
  return { ...plan, steps };
}

export const WILL_FAULTS: readonly Fault[] = [
  {
    name: "a will is kept on disk after it was published",
    mostSeeds: 300,
    plant: () => {
      const wills = new WeakMap<LastingSession, ReturnType<LastingSession["record"]>>();
      return replace(LastingSession.prototype, "record", function (original) {
        const record = original();
        if (record.will !== undefined) wills.set(this, record);
        return { ...record, will: wills.get(this)?.will };
      });
    },
  },
  {
    name: "wills do not wait for their delay",
    mostSeeds: 30,
    plant: () =>
      replace(SessionTable.prototype, "disconnected", (original, session, ...rest) => {
        if (session.will !== undefined) session.will = { ...session.will, delayInterval: 0 };
        original(session, ...rest);
      }),
  },
  {
    name: "wills are published after a normal DISCONNECT",
    mostSeeds: 150,
    plant: () =>
      replace(SessionTable.prototype, "disconnected", (original, session, _end, ...rest) =>
        original(session, "abnormal", ...rest),
      ),
  },
  {
    name: "a will that waits is forgotten when Clean Start 1 ends its session",
    mostSeeds: 100,
    emphasise: startClean,
    plant: () =>
      replace(SessionTable.prototype, "end", (original, session, reason) => {
        if (reason === "clean-start") session.will = undefined;
        original(session, reason);
      }),
  },
];
