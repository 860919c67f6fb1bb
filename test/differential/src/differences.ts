// Where heirloom and mosquitto 2.0.11 differ, and the statement that says who may. An entry explains a difference only
// when heirloom's side is what the model says: the table cannot hide a fault of ours.

import { copyFor, type Delivery, type Model } from "./model.ts";
import type { Step, SubscribeStep } from "./plan.ts";

export interface Difference {
  readonly index: number;
  readonly step: Step;
  readonly client: string;
  /** Empty for packets that are no PUBLISH. */
  readonly topic: string;
  readonly heirloom: readonly string[];
  readonly other: readonly string[];
}

/** A live message of which heirloom sent the one copy that the model expects (or none), and mosquitto something else. */
interface MessageDifference {
  readonly difference: Difference;
  readonly delivery: Delivery;
  readonly other: readonly string[];
  /** Whether it was sent before. */
  readonly isRepeated: boolean;
}

interface Entry {
  /** What differs, and the statement. */
  readonly name: string;
  readonly explains: (difference: MessageDifference) => boolean;
}

export const MESSAGE_DIFFERENCES: readonly Entry[] = [
  {
    name:
      "overlapping subscriptions of a 5.0 client: heirloom sends one copy, mosquitto one for each, and both may - " +
      "5.0 [MQTT-3.3.4-2] to [MQTT-3.3.4-4]",
    explains: ({ delivery, other }) =>
      delivery.version === 5 &&
      delivery.matching.length > 1 &&
      sameLines(other, copiesFor(delivery, delivery.matching)),
  },
  {
    name:
      "overlapping subscriptions of a 3.1.1 client: heirloom sends the highest QoS that matches, mosquitto that of any - " +
      "3.1.1 [MQTT-3.3.5-1] says the highest",
    explains: ({ delivery, other }) =>
      delivery.version !== 5 &&
      delivery.matching.length > 1 &&
      other.length <= 1 &&
      other.every((line) => copiesFor(delivery, delivery.matching).includes(line)),
  },
  {
    name:
      "a filter that is subscribed to again: heirloom takes all new options, mosquitto keeps the first No Local and " +
      "Retain As Published - 5.0 [MQTT-3.8.4-3] says the new ones",
    explains: ({ delivery, other }) =>
      delivery.version === 5 && sameLines(other, copiesFor(delivery, delivery.stale)),
  },
  {
    name:
      "a message that is sent again after its subscription was replaced: heirloom names the identifier of now, mosquitto " +
      "that of then - 5.0 [MQTT-4.4.0-1] asks for the same packet identifier only",
    explains: ({ delivery, other, isRepeated }) =>
      isRepeated &&
      sameLines(
        other.map(withoutIdentifiers),
        copiesFor(delivery, delivery.matching).map(withoutIdentifiers),
      ),
  },
  {
    name:
      "a connection that another one takes over: heirloom publishes its will, mosquitto forgets it when the session goes " +
      "on - 3.1.1 and 5.0 [MQTT-3.1.2-8] say it is published",
    explains: ({ difference: { step }, delivery, other }) =>
      step.action === "connect" && isWill(delivery) && other.length === 0,
  },
  {
    name:
      "a clean session that is taken over by a lasting one: mosquitto gives the new one what the old one had subscribed " +
      "to - 3.1.1 [MQTT-3.1.2-6] forbids it",
    explains: ({ difference: { step, client }, delivery, other }) =>
      step.action === "connect" && step.client === client && isWill(delivery) && other.length === 1,
  },
];

const UNSUBACK_DIFFERENCE =
  "UNSUBSCRIBE of a filter that is not there: heirloom says 0x11, mosquitto 0x00 - 5.0 section 3.11.3";
const TAKEOVER_DIFFERENCE =
  "a 5.0 connection that another one takes over: heirloom says DISCONNECT 0x8E, mosquitto nothing - 5.0 [MQTT-3.1.4-3]";

/** @returns the name of the entry that explains the difference. */
export function allowedBy(difference: Difference, model: Model): string | undefined {
  const { client, topic, heirloom, other } = difference;
  if (topic === "") return answerAllowedBy(difference, model);
  const payloads = [...new Set([...heirloom, ...other].map(payloadOf))].filter(
    (payload) => !sameLines(linesOf(heirloom, payload), linesOf(other, payload)),
  );
  const names = payloads.map((payload) =>
    messageAllowedBy(
      difference,
      linesOf(heirloom, payload),
      linesOf(other, payload),
      model.delivery(client, payload),
    ),
  );
  // Several messages of one topic came at once: each has its reason, or the difference has none.
  return names.includes(undefined) ? undefined : names[0];
}

function messageAllowedBy(
  difference: Difference,
  heirloom: readonly string[],
  other: readonly string[],
  delivery: Delivery | undefined,
): string | undefined {
  const isRepeated = [...heirloom, ...other].some((line) => line.includes(" dup=true"));
  // Nothing in the table explains a DUP flag: who sends the message at all sends it with the same.
  const flags = new Set([...heirloom, ...other].map((line) => line.includes(" dup=true")));
  if (delivery === undefined || flags.size > 1) return undefined;
  const ours = heirloom.map(firstSending);
  if (!isExpected(ours, delivery, isRepeated)) return undefined;
  // Copies of QoS 0 are not sent again.
  const sent = isRepeated ? { ...delivery, isOnline: false } : delivery;
  const found = { difference, delivery: sent, other: other.map(firstSending), isRepeated };
  return MESSAGE_DIFFERENCES.find(({ explains }) => explains(found))?.name;
}

function answerAllowedBy({ step, heirloom, other }: Difference, model: Model): string | undefined {
  if (step.action === "unsubscribe" && !model.hadSubscription) {
    return sameLines(heirloom, ["UNSUBACK 17"]) && sameLines(other, ["UNSUBACK 0"])
      ? UNSUBACK_DIFFERENCE
      : undefined;
  }
  const isTakeover = step.action === "connect" && step.version === 5;
  return isTakeover && sameLines(heirloom, ["DISCONNECT 142", ...other]) ? TAKEOVER_DIFFERENCE : undefined;
}

function isWill({ step }: Delivery): boolean {
  return step.payload.startsWith("will ");
}

/**
 * One copy for all subscriptions, or none without any. Where these do not agree on Retain As Published, the standard does
 * not say what the one copy says: 5.0 section 3.3.1.3.
 */
function isExpected(
  lines: readonly string[],
  { step, isOnline, matching }: Delivery,
  isRepeated: boolean,
): boolean {
  const isLost = !isOnline && (step.qos === 0 || matching.every(({ qos }) => qos === 0));
  if (matching.length === 0 || isLost) return lines.length === 0;
  const agreed = [true, false].map((retainAsPublished) =>
    matching.map((subscription) => ({ ...subscription, retainAsPublished })),
  );
  const candidates = matching.every(
    ({ retainAsPublished }) => retainAsPublished === matching[0]?.retainAsPublished,
  )
    ? [matching]
    : agreed;
  const words = isRepeated ? withoutIdentifiers : (line: string): string => line;
  return candidates.some((subscriptions) =>
    sameLines(lines.map(words), [words(copyFor(step, subscriptions))]),
  );
}

/** A copy for each subscription. Those of QoS 0 may be left out for who is away: 3.1.1 and 5.0 section 4.1. */
function copiesFor({ step, isOnline }: Delivery, subscriptions: readonly SubscribeStep[]): string[] {
  return subscriptions
    .filter(({ qos }) => isOnline || (qos > 0 && step.qos > 0))
    .map((subscription) => copyFor(step, [subscription]));
}

function withoutIdentifiers(line: string): string {
  return line.replace(/ ids=.*/, "");
}

/** The line as it was, or would have been, when the message was sent first. */
function firstSending(line: string): string {
  return line.replace(" dup=true", " dup=false");
}

function payloadOf(line: string): string {
  return /^PUBLISH \S+ "([^"]*)"/.exec(line)?.[1] ?? "";
}

function linesOf(lines: readonly string[], payload: string): string[] {
  return lines.filter((line) => payloadOf(line) === payload);
}

function sameLines(lines: readonly string[], others: readonly string[]): boolean {
  return [...lines].sort().join("\n") === [...others].sort().join("\n");
}
