// Finds where two brokers gave a client different things, and asks the table of differences whether the standard allows it.

import { allowedBy, type Difference } from "./differences.ts";
import { Model } from "./model.ts";
import { type Step, stepWords } from "./plan.ts";
import type { StepResult } from "./play.ts";

export interface Comparison {
  /** How often each entry of the table was needed. */
  readonly allowed: ReadonlyMap<string, number>;
  readonly unexplained: readonly string[];
}

/** Compares step by step, client by client, topic by topic. */
export function compare(
  plan: readonly Step[],
  heirloom: readonly StepResult[],
  other: readonly StepResult[],
): Comparison {
  const allowed = new Map<string, number>();
  const unexplained: string[] = [];
  const model = new Model();
  for (const [index, step] of plan.entries()) {
    model.take(step);
    for (const difference of differencesOf(index, step, heirloom[index], other[index])) {
      const name = allowedBy(difference, model);
      if (name === undefined) unexplained.push(words(difference));
      else allowed.set(name, (allowed.get(name) ?? 0) + 1);
    }
  }
  return { allowed, unexplained };
}

function differencesOf(
  index: number,
  step: Step,
  heirloom: StepResult | undefined,
  other: StepResult | undefined,
): Difference[] {
  const differences: Difference[] = [];
  for (const client of new Set([...(heirloom?.keys() ?? []), ...(other?.keys() ?? [])])) {
    const ours = byTopic(heirloom?.get(client) ?? []);
    const theirs = byTopic(other?.get(client) ?? []);
    for (const topic of new Set([...ours.keys(), ...theirs.keys()])) {
      const here = ours.get(topic) ?? [];
      const there = theirs.get(topic) ?? [];
      if (here.join("\n") !== there.join("\n")) {
        differences.push({ index, step, client, topic, heirloom: here, other: there });
      }
    }
  }
  return differences;
}

/** Order counts within a topic, and among packets that are no PUBLISH. */
function byTopic(lines: readonly string[]): Map<string, string[]> {
  const topics = new Map<string, string[]>();
  for (const line of lines) {
    const topic = /^PUBLISH (\S+)/.exec(line)?.[1] ?? "";
    topics.set(topic, [...(topics.get(topic) ?? []), line]);
  }
  return topics;
}

function words({ index, step, client, heirloom, other }: Difference): string {
  const side = (name: string, lines: readonly string[]): string =>
    lines.map((line) => `\n    ${name} ${line}`).join("") || `\n    ${name} nothing`;
  return `step ${index}, ${stepWords(step)}: ${client}${side("heirloom ", heirloom)}${side("mosquitto", other)}`;
}
