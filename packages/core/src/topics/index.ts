// Public names of the topics: checks of names and filters, the trees, and the cache in front of them.

export { checkTopicName } from "./topic-name.ts";
export { checkTopicFilter, isWildcardFilter, parseSharedFilter, topicMatchesFilter } from "./topic-filter.ts";
export type { SharedFilter } from "./topic-filter.ts";
export { FilterTree } from "./filter-tree.ts";
export { NameTree } from "./name-tree.ts";
export type { NameMatcher } from "./name-tree.ts";
export { MatchCache } from "./match-cache.ts";
export type { MatchCacheOptions } from "./match-cache.ts";
export { isReservedTopicName } from "./reserved.ts";
