// How two Topic Filters lie to each other: whether one matches everything that the other can match, and whether there
// is a topic that both match. Level by level, without allocation. MQTT 5.0 section 4.7. Not for shared filters; pass
// their part.

/**
 * Whether every topic that `inner` matches is also matched by `outer`. Both have to be valid.
 *
 * Wildcards in the first place match no topic that begins with "$", so that "#" does not cover "$SYS/#".
 */
export function covers(outer: string, inner: string): boolean {
  let o = 0;
  let i = 0;
  if (beginsWithDollar(inner) && !beginsWithDollar(outer)) return false;
  for (;;) {
    const outerEnd = levelEnd(outer, o);
    const innerEnd = levelEnd(inner, i);
    if (isOne(outer, o, outerEnd, "#")) return true;
    if (isOne(inner, i, innerEnd, "#")) {
      // Every topic has a first level, so "+/#" is as wide as "#". Further on "a/+/#" lacks the topic "a".
      return i === 0 && outer === "+/#";
    }
    if (!isOne(outer, o, outerEnd, "+") && !sameLevel(outer, o, outerEnd, inner, i, innerEnd)) return false;
    if (innerEnd === inner.length) return outerEnd === outer.length || outer.slice(outerEnd) === "/#";
    if (outerEnd === outer.length) return false;
    o = outerEnd + 1;
    i = innerEnd + 1;
  }
}

/** Whether some topic is matched by both. */
export function overlaps(one: string, other: string): boolean {
  let a = 0;
  let b = 0;
  if (beginsWithDollar(one) !== beginsWithDollar(other)) return false;
  for (;;) {
    const aEnd = levelEnd(one, a);
    const bEnd = levelEnd(other, b);
    if (isOne(one, a, aEnd, "#") || isOne(other, b, bEnd, "#")) return true;
    const isWild = isOne(one, a, aEnd, "+") || isOne(other, b, bEnd, "+");
    if (!isWild && !sameLevel(one, a, aEnd, other, b, bEnd)) return false;
    const aIsOver = aEnd === one.length;
    const bIsOver = bEnd === other.length;
    if (aIsOver && bIsOver) return true;
    if (aIsOver) return other.slice(bEnd) === "/#";
    if (bIsOver) return one.slice(aEnd) === "/#";
    a = aEnd + 1;
    b = bEnd + 1;
  }
}

/** The level with this index, from 0, or `undefined` when there are fewer. */
export function levelAt(text: string, index: number): string | undefined {
  let start = 0;
  for (let at = 0; at < index; at++) {
    const end = levelEnd(text, start);
    if (end === text.length) return undefined;
    start = end + 1;
  }
  return text.slice(start, levelEnd(text, start));
}

function levelEnd(text: string, start: number): number {
  const separator = text.indexOf("/", start);
  return separator < 0 ? text.length : separator;
}

function isOne(text: string, start: number, end: number, character: string): boolean {
  return end === start + 1 && text[start] === character;
}

function sameLevel(
  one: string,
  oneStart: number,
  oneEnd: number,
  other: string,
  otherStart: number,
  otherEnd: number,
): boolean {
  const length = oneEnd - oneStart;
  if (otherEnd - otherStart !== length) return false;
  for (let at = 0; at < length; at++) {
    if (one.charCodeAt(oneStart + at) !== other.charCodeAt(otherStart + at)) return false;
  }
  return true;
}

function beginsWithDollar(text: string): boolean {
  return text.startsWith("$");
}
