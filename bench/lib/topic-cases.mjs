// Micro-benchmark cases for the topic trees and the match cache of @heirloom/core.
import { FilterTree, MatchCache, NameTree } from "@heirloom/core";

/** @typedef {import("../micro.mjs").MicroCase} MicroCase */

const million = 1_000_000;
const perStep = 1000;

// 1,000 sites with 1,000 devices each.
const site = (n) => Math.floor(n / 1000) % 1000;
const device = (n) => n % 1000;

/** The text as the codec makes it: flat, not a chain of concatenations that the first reader has to join. */
const flat = (text) => Buffer.from(text, "latin1").toString("latin1");

/** Filter `n` of 1,000,000 different ones, every third of them with a wildcard, of three kinds in turn. */
function filter(n) {
  const [s, d] = [site(n), device(n)];
  if (n % 3 !== 0) return `site/${s}/device/${d}/temperature`;
  if (n % 9 === 0) return `site/${s}/device/${d}/#`;
  return n % 9 === 3 ? `site/${s}/+/${d}/humidity` : `site/+/device/${n}/state`;
}

/** Topic `n`, never asked for before; each matches one or two of the filters or none. */
function topic(n) {
  const kind = ["temperature", "humidity", "state", `channel-${n}`][n % 4];
  return flat(`site/${site(n * 7)}/device/${device(n * 13)}/${kind}`);
}

function tree() {
  const filters = new FilterTree(1);
  for (let n = 0; n < million; n++) filters.set(flat(filter(n)), n + 1);
  return filters;
}

/** Takes `topics` in turn, `perStep` at a time. */
function stepThrough(topics, operate) {
  let at = 0;
  return {
    steps: Math.floor(topics.length / perStep),
    step() {
      for (const end = at + perStep; at < end; at++) operate(topics[at]);
      return perStep;
    },
  };
}

/** @type {MicroCase} */
const unseenTopics = {
  name: "match a new topic, 1,000,000 filters, a third with wildcards",
  targetNs: 3000,
  prepare() {
    const filters = tree();
    const topics = Array.from({ length: million }, (_, n) => topic(n));
    let found = 0;
    const visit = (value) => void (found += value);
    return stepThrough(topics, (name) => filters.match(name, visit));
  },
};

/** @type {MicroCase} */
const cachedTopics = {
  name: "match a topic that the cache knows, 10,000 topics",
  prepare() {
    const cache = new MatchCache();
    const topics = Array.from({ length: 10_000 }, (_, n) => topic(n));
    for (const name of topics) cache.set(name, [name]);
    let misses = 0;
    const step = () => {
      for (const name of topics) if (cache.get(name) === undefined) misses++;
      if (misses > 0) throw new Error("the cache forgot topics that fit into it");
      return topics.length;
    };
    return { step };
  },
};

function retained() {
  const names = new NameTree(1);
  for (let n = 0; n < million; n++) names.set(flat(`site/${site(n)}/device/${device(n)}/temperature`), n + 1);
  return names;
}

/** @type {MicroCase} */
const retainedOne = {
  name: "find one retained of 1,000,000 by site/S/+/D/temperature",
  prepare() {
    const names = retained();
    let at = 0;
    const step = () => {
      for (let count = 0; count < perStep; count++) {
        at = (at + 7919) % million;
        const found = names.matcher(`site/${site(at)}/+/${device(at)}/temperature`).next();
        if (found !== at + 1) throw new Error(`found ${found} in place of ${at + 1}`);
      }
      return perStep;
    };
    return { step };
  },
};

/** @type {MicroCase} */
const retainedAll = {
  name: "each retained of 1,000,000 by #",
  prepare() {
    const names = retained();
    let matcher = names.matcher("#");
    const step = () => {
      for (let count = 0; count < perStep; count++)
        if (matcher.next() === undefined) matcher = names.matcher("#");
      return perStep;
    };
    return { step };
  },
};

/** @type {MicroCase[]} */
export const topicCases = [unseenTopics, cachedTopics, retainedOne, retainedAll];
