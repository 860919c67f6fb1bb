// Sizes and durations as people write them: "16MiB", "250ms", "1h30m".

const BYTES_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
]);

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
]);

/** @returns bytes, or `undefined` when `text` is not one number with one unit, such as "16MiB". */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim());
  const factor = BYTES_PER_UNIT.get(match?.[2]?.toLowerCase() ?? "");
  return factor === undefined ? undefined : Number(match?.[1]) * factor;
}

/** @returns milliseconds, or `undefined` when `text` is not a row of numbers with units, such as "1h30m". */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?\s*[a-z]+\s*)+$/i.test(text.trim())) return undefined;
  let totalMs = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)) {
    const factor = MS_PER_UNIT.get(unit?.toLowerCase() ?? "");
    if (factor === undefined) return undefined;
    totalMs += Number(number) * factor;
  }
  return totalMs;
}

/** Bytes in the largest unit that needs no fraction. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const factor = BYTES_PER_UNIT.get(unit.toLowerCase()) ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** Milliseconds in the largest unit that needs no fraction. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = MS_PER_UNIT.get(unit) ?? 1;
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return ms === 0 ? "0" : `${ms}ms`;
}
