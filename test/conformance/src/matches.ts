// The reference matcher: Topic Filters and Topic Names. Section 4.7.

/** The matching rules of section 4.7 as simply as they can be written, to compare deliveries with. */
export function matches(filter: string, topic: string): boolean {
  const filterLevels = filter.split("/");
  const levels = topic.split("/");
  if (/^[+#]/.test(filter) && topic.startsWith("$")) return false;
  for (const [index, level] of filterLevels.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return filterLevels.length === levels.length;
}
