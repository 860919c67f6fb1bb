// Plays a conversation to a broker. After each step everybody asks for a PINGRESP until nothing comes any more, so what
// came belongs to the step.

import type { Step } from "./plan.ts";
import { Speaker } from "./speaker.ts";

/** What each client got in one step, in order. */
export type StepResult = ReadonlyMap<string, readonly string[]>;

/** A QoS 2 delivery takes three. */
const LEAST_ROUNDS = 3;

/** @returns what came, step by step. */
export async function play(port: number, plan: readonly Step[]): Promise<StepResult[]> {
  const speakers = new Map<string, Speaker>();
  const results: StepResult[] = [];
  try {
    for (const step of plan) {
      await perform(port, step, speakers);
      await settle(speakers);
      results.push(new Map([...speakers].map(([client, speaker]) => [client, speaker.take()])));
    }
  } finally {
    for (const speaker of speakers.values()) speaker.destroy();
  }
  return results;
}

async function perform(port: number, step: Step, speakers: Map<string, Speaker>): Promise<void> {
  if (step.action === "connect") {
    const former = speakers.get(step.client);
    const speaker = await Speaker.connect(port, step);
    if (former !== undefined) speaker.follow(await former.takenOver());
    speakers.set(step.client, speaker);
    return;
  }
  const speaker = speakers.get(step.client);
  if (speaker === undefined) throw new Error(`${step.client} is not connected`);
  switch (step.action) {
    case "subscribe":
      speaker.subscribe(step);
      return;
    case "unsubscribe":
      speaker.unsubscribe(step.topicFilter);
      return;
    case "publish":
      speaker.publish(step);
      return;
    default:
      speakers.delete(step.client);
      await (step.action === "drop" ? speaker.drop() : speaker.disconnect());
  }
}

async function settle(speakers: ReadonlyMap<string, Speaker>): Promise<void> {
  for (let quietRounds = 0; quietRounds < LEAST_ROUNDS; quietRounds++) {
    for (const speaker of speakers.values()) {
      if (await speaker.roundTrip()) quietRounds = 0;
    }
  }
}
