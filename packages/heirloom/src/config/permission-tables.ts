// The tables of the options that say who may use which topics.

import { WEBHOOK_PERMISSION_DEFAULTS, type WebhookPermissionOptions } from "../permissions/options.ts";
import { count, milliseconds, text } from "./kinds.ts";
import type { Option, OptionTable } from "./option.ts";

const MANY = 10_000_000;

export const WEBHOOK_PERMISSION_OPTIONS: OptionTable<WebhookPermissionOptions> = {
  url: {
    name: "url",
    kind: text,
    default: "none: it has to be given",
    description: "Where the question is sent: https:, or http: of this machine.",
  },
  timeoutMs: {
    name: "timeout",
    kind: milliseconds({ minimum: 100, maximum: 60_000 }),
    default: "5s",
    description: "The time to the whole answer. After it the answer is no.",
  },
  cacheForMs: {
    name: "cacheFor",
    kind: milliseconds({ minimum: 0, maximum: 60_000 }),
    default: "30s",
    description:
      "How long an answer to the very same question is believed; 0 = not at all. Filters that were granted are asked about " +
      "again after this time, at most once a second.",
  },
  cacheEntries: number("cacheEntries", 0, "Answers that are remembered."),
  requestsAtOnce: number("requestsAtOnce", 1, "Questions at the same time."),
  requestsWaiting: number(
    "requestsWaiting",
    0,
    "Questions that wait for that; those beyond them are answered no.",
  ),
  bearerTokenFile: file(
    "bearerTokenFile",
    "A file with a token that is sent as `Authorization: Bearer`.",
    "none",
  ),
  caFile: file("caFile", "Certificates in PEM that the server has to come from.", "those of Node"),
};

function file(name: string, description: string, none: string): Option<string> {
  return { name, kind: text, default: none, description };
}

function number(
  name: "cacheEntries" | "requestsAtOnce" | "requestsWaiting",
  minimum: number,
  description: string,
): Option<number> {
  const standard = String(WEBHOOK_PERMISSION_DEFAULTS[name]);
  return { name, kind: count({ minimum, maximum: MANY }), default: standard, description };
}
