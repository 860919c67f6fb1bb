// Names with "*" in rules, as in "sensor-*". Compared without regular expressions and without recursion.

/** Whether a name in a rule stands for more than itself. */
export function isGlob(pattern: string): boolean {
  return pattern.includes("*");
}

/** Whether `text` is what `pattern` says, where each "*" stands for any characters, also none. */
export function matchesGlob(text: string, pattern: string): boolean {
  let t = 0;
  let p = 0;
  // Where to go on when what follows the last star does not fit: one character later.
  let starAt = -1;
  let resumeAt = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      starAt = p++;
      resumeAt = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
