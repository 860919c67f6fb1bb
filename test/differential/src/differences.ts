// Where heirloom and mosquitto 2.0.11 differ, and the statement that says who may. An entry explains a difference only
// when heirloom's side is what the model says: the table cannot hide a fault of ours.

import { copyFor, type Model } from "./model.ts";
import type { Step } from "./plan.ts";

export interface Difference {
  readonly index: number;
  readonly step: Step;
  readonly client: string;
  /** Empty for packets that are no PUBLISH. */
  readonly topic: string;
  readonly heirloom: readonly string[];
  readonly other: readonly string[];
}

interface Entry {
  /** What differs, and the statement. */
  readonly name: string;
  readonly explains: (difference: Difference, model: Model) => boolean;
}

export const DIFFERENCES: readonly Entry[] = [
  {
    name:
      "overlapping subscriptions: heirloom sends one copy, mosquitto one for each to 5.0 clients, " +
      "which both may - 5.0 [MQTT-3.3.4-2], section 3.3.4",
    explains: (difference, model) => {
      const { step, client, heirloom, other } = difference;
      if (step.action !== "publish") return false;
      const matching = model.matching(client, step);
      if (matching.length < 2 || !isOne(heirloom, copyFor(step, matching))) return false;
      return sameLines(
        other,
        matching.map((subscription) => copyFor(step, [subscription])),
      );
    },
  },
  {
    name:
      "a filter that is subscribed to again: heirloom takes the new options, mosquitto keeps the old " +
      "No Local and Retain As Published - 5.0 [MQTT-3.8.4-3] says the new ones",
    explains: ({ step, client, heirloom, other }, model) => {
      if (step.action !== "publish") return false;
      const matching = model.matching(client, step);
      const expected = matching.length === 0 ? [] : [copyFor(step, matching)];
      if (!sameLines(heirloom, expected)) return false;
      return matching.some(({ replaced }) => replaced !== undefined) && other.length >= 0;
    },
  },
  {
    name: "UNSUBSCRIBE of a filter that is not there: heirloom says 0x11, mosquitto 0x00 - 5.0 section 3.11.3",
    explains: ({ step, heirloom, other }, model) =>
      step.action === "unsubscribe" &&
      !model.hadSubscription &&
      isOne(heirloom, "UNSUBACK 17") &&
      isOne(other, "UNSUBACK 0"),
  },
];

/** @returns the name of the entry that explains the difference. */
export function allowedBy(difference: Difference, model: Model): string | undefined {
  return DIFFERENCES.find(({ explains }) => explains(difference, model))?.name;
}

function isOne(lines: readonly string[], line: string): boolean {
  return lines.length === 1 && lines[0] === line;
}

function sameLines(lines: readonly string[], others: readonly string[]): boolean {
  return [...lines].sort().join("\n") === [...others].sort().join("\n");
}
