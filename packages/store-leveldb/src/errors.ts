// Tells apart what LevelDB failed at: no space, or anything else.

import { StoreError } from "@heirloom/core";

// LevelDB passes on the operating system's words and no number.
const NO_SPACE = /no space left|quota exceeded|not enough space/i;

/** Whether an error of LevelDB or of the file system says that there is no space. */
export function isOutOfSpace(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOSPC" || code === "EDQUOT" || NO_SPACE.test(messageOf(error));
}

/** The `code` of an error, of the innermost cause that has one. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return codeOf(error.cause) ?? ("code" in error && typeof error.code === "string" ? error.code : undefined);
}

/** The message of an error's innermost cause. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : messageOf(error.cause);
}

/** The store's error for one of LevelDB or of the file system; `doing` says what failed, with the directory. */
export function toStoreError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = isOutOfSpace(error) ? "STORE_FULL" : "STORE_FAILED";
  return new StoreError(code, `${doing}: ${messageOf(error)}`, { cause: error });
}
