// Permissions that a token brings along: claims that hold lists of topic filters. They are taken as they stand; nothing
// in them is replaced.

import type { QoS } from "@heirloom/codec";
import { checkTopicFilter, topicMatchesFilter } from "@heirloom/core";
import { covers } from "./filter-cover.ts";
import type { ClaimsPermissionOptions } from "./options.ts";
import { isAway, type Subject } from "./subject.ts";
import type { Source, SourceAccess } from "./verdict.ts";

/** Filters in one claim; a token with more is not believed. */
const MAX_FILTERS = 1_000;

export class ClaimsSource implements Source {
  readonly isAboutUsers = true;
  readonly #options: ClaimsPermissionOptions;

  constructor(options: ClaimsPermissionOptions) {
    this.#options = options;
  }

  accessOf(subject: Subject): SourceAccess {
    // Its claims were looked at when it published.
    if (isAway(subject))
      return { publish: () => "allow", subscribe: () => undefined, receive: () => undefined };
    const publish = filtersOf(subject, this.#options.publish);
    const subscribe = filtersOf(subject, this.#options.subscribe);
    const isIn = (filters: readonly string[], topicName: string): boolean =>
      filters.some((topicFilter) => topicMatchesFilter(topicName, topicFilter));
    return {
      publish: (topicName) => (isIn(publish, topicName) ? "allow" : undefined),
      receive: (topicName) => (isIn(subscribe, topicName) ? "allow" : undefined),
      subscribe: (topicFilter, qos: QoS) =>
        subscribe.some((allowed) => covers(allowed, topicFilter)) ? qos : undefined,
    };
  }
}

/** The filters of a claim; none when anything in it is not one. */
function filtersOf(subject: Subject, claim: string | undefined): readonly string[] {
  const value = claim === undefined ? undefined : subject.claims.get(claim);
  if (!Array.isArray(value) || value.length > MAX_FILTERS) return [];
  const filters = value.filter(
    (item): item is string => typeof item === "string" && checkTopicFilter(item) === undefined,
  );
  return filters.length === value.length ? filters : [];
}
