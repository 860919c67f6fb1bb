// Topic Filters: which texts are one, which Topic Names they match, and the parts of a shared one. Nothing here
// allocates or recurses except where a shared filter is cut in two. MQTT 5.0 sections 4.7 and 4.8.2, 3.1.1 section 4.7.

import { DOLLAR, encodingFault, HASH, isSurrogate, MAX_LEVELS, PLUS, SLASH } from "./topic-text.ts";

const SHARED_PREFIX = "$share/";

/** The parts of `$share/{shareName}/{topicFilter}`. */
export interface SharedFilter {
  readonly shareName: string;
  readonly topicFilter: string;
}

/**
 * Says what is wrong with a Topic Filter of SUBSCRIBE or UNSUBSCRIBE. What is special about a shared filter is
 * the business of {@link parseSharedFilter}.
 *
 * @param maxLevels - levels that it may have, 1 to 65,536; `$share` and the share name count.
 * @returns `undefined` when it is valid, else the reason as a sentence. The sentence does not repeat the filter.
 */
export function checkTopicFilter(topicFilter: string, maxLevels: number = MAX_LEVELS): string | undefined {
  const length = topicFilter.length;
  // 5.0 [MQTT-4.7.3-1]
  if (length === 0) return "the topic filter is empty";
  let levels = 1;
  let hasSurrogates = false;
  for (let i = 0; i < length; i++) {
    const code = topicFilter.charCodeAt(i);
    if (code > SLASH) {
      if (isSurrogate(code)) hasSurrogates = true;
    } else if (code === SLASH) levels++;
    else if (code === PLUS || code === HASH) {
      const fault = wildcardFault(topicFilter, i);
      if (fault !== undefined) return fault;
    }
    // 5.0 [MQTT-4.7.3-2]
    else if (code === 0) return "the topic filter contains U+0000";
  }
  if (levels > maxLevels) return `the topic filter has more than ${maxLevels} levels`;
  const fault = encodingFault(topicFilter, hasSurrogates);
  return fault === undefined ? undefined : `the topic filter ${fault}`;
}

/** Judges the wildcard at `index` by its neighbours. */
function wildcardFault(topicFilter: string, index: number): string | undefined {
  const startsLevel = index === 0 || topicFilter.charCodeAt(index - 1) === SLASH;
  const endsFilter = index + 1 === topicFilter.length;
  if (topicFilter.charCodeAt(index) === HASH) {
    // 5.0 [MQTT-4.7.1-1], 3.1.1 [MQTT-4.7.1-2]
    return startsLevel && endsFilter ? undefined : 'in the topic filter "#" is not the whole last level';
  }
  // 5.0 [MQTT-4.7.1-2], 3.1.1 [MQTT-4.7.1-3]
  const endsLevel = endsFilter || topicFilter.charCodeAt(index + 1) === SLASH;
  return startsLevel && endsLevel ? undefined : 'in the topic filter "+" is not a whole level';
}

/** Whether a valid Topic Filter has a wildcard, and so can match more than the one topic of its own name. */
export function isWildcardFilter(topicFilter: string): boolean {
  return topicFilter.includes("+") || topicFilter.endsWith("#");
}

/**
 * Cuts a valid Topic Filter (see {@link checkTopicFilter}) into share name and filter, MQTT 5.0 section 4.8.2.
 * Only for 5.0: before, `$share/...` was an ordinary filter. A valid whole has a valid part.
 *
 * @returns `undefined` when the filter is not a shared one, as `$share` alone is not; `"invalid"` when it begins
 *   like one but names no group or no filter, or has a wildcard in the name of the group.
 */
export function parseSharedFilter(topicFilter: string): SharedFilter | "invalid" | undefined {
  if (!topicFilter.startsWith(SHARED_PREFIX)) return undefined;
  const nameEnd = topicFilter.indexOf("/", SHARED_PREFIX.length);
  // Without a name 5.0 [MQTT-4.8.2-1], without a filter 5.0 [MQTT-4.8.2-2].
  if (nameEnd <= SHARED_PREFIX.length || nameEnd + 1 === topicFilter.length) return "invalid";
  const shareName = topicFilter.slice(SHARED_PREFIX.length, nameEnd);
  if (shareName.includes("+") || shareName.includes("#")) return "invalid";
  return { shareName, topicFilter: topicFilter.slice(nameEnd + 1) };
}

/**
 * Whether a valid Topic Filter matches a valid Topic Name, character by character and without normalising:
 * 5.0 [MQTT-4.7.3-4]. Not for shared filters; pass their part.
 */
export function topicMatchesFilter(topicName: string, topicFilter: string): boolean {
  // 5.0 [MQTT-4.7.2-1]
  if (topicName.charCodeAt(0) === DOLLAR && beginsWithWildcard(topicFilter)) return false;
  const nameLength = topicName.length;
  let n = 0;
  for (let f = 0; f < topicFilter.length; f++) {
    const code = topicFilter.charCodeAt(f);
    if (code === HASH) return true;
    if (code === PLUS) {
      while (n < nameLength && topicName.charCodeAt(n) !== SLASH) n++;
    } else if (n < nameLength && topicName.charCodeAt(n) === code) {
      n++;
    } else {
      // "a/#" also matches its parent "a", section 4.7.1.2.
      return n === nameLength && code === SLASH && topicFilter.charCodeAt(f + 1) === HASH;
    }
  }
  return n === nameLength;
}

function beginsWithWildcard(topicFilter: string): boolean {
  const first = topicFilter.charCodeAt(0);
  return first === PLUS || first === HASH;
}
