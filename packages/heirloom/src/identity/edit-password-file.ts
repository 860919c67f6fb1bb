// Changes one line of a password file. The file is replaced as a whole, so that a crash or a full disk leaves either the old
// one or the new one; everything else in it stays as it is.

import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError, messageOf, systemCode } from "../errors.ts";
import { fileError } from "./files.ts";
import { parsePasswords, splitPasswordLine } from "./password-file.ts";

/** What was done. */
export type PasswordEdit = "added" | "changed" | "deleted";

const OWNER_ONLY = 0o600;
/** Rights that an existing file keeps: those of its owner and its group. */
const KEPT_MODE = 0o660;

/**
 * Sets the hash of a user, or deletes the user.
 *
 * @param hash `undefined` = the user is deleted.
 * @throws ConfigError when the file cannot be read or written, has wrong lines, or when there is no such user to delete.
 */
export async function editPasswordFile(
  file: string,
  username: string,
  hash: string | undefined,
): Promise<PasswordEdit> {
  const existing = await readExisting(file);
  const text = existing?.text ?? "";
  const isKnown = parsePasswords(text, file).has(username);
  if (hash === undefined && !isKnown) throw fileError(file, `there is no user ${JSON.stringify(username)}`);
  try {
    await replaceFile(file, edited(text, username, hash), existing?.stats);
  } catch (error) {
    throw fileError(file, `cannot be written: ${messageOf(error)}`);
  }
  if (hash === undefined) return "deleted";
  return isKnown ? "changed" : "added";
}

/** The text with one line more, another one, or one less. */
function edited(text: string, username: string, hash: string | undefined): string {
  const lines = text === "" ? [] : text.split("\n");
  // What follows the last line end is no line.
  if (lines[lines.length - 1] === "") lines.pop();
  const index = lines.findIndex((line) => splitPasswordLine(line)?.username === username);
  const replacement = hash === undefined ? [] : [`${username}:${hash}`];
  if (index === -1) lines.push(...replacement);
  else lines.splice(index, 1, ...replacement);
  return lines.map((line) => `${line}\n`).join("");
}

/** `undefined` when there is no such file. A symbolic link is refused: what it names would be replaced by a file. */
async function readExisting(file: string): Promise<{ text: string; stats: Stats } | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error("it is no file");
      return { text: await handle.readFile("utf8"), stats };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return undefined;
    if (error instanceof ConfigError) throw error;
    const reason = code === "ELOOP" ? "it is a symbolic link; name the file itself" : messageOf(error);
    throw fileError(file, `cannot be read: ${reason}`);
  }
}

async function replaceFile(file: string, text: string, before: Stats | undefined): Promise<void> {
  const directory = dirname(file);
  const temporary = join(directory, `.${basename(file)}.${randomBytes(8).toString("hex")}`);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(temporary, flags, OWNER_ONLY);
    try {
      await handle.writeFile(text);
      if (before !== undefined) {
        // The broker may run as another user, who reads the file as its owner or its group.
        if (process.getuid?.() === 0) await handle.chown(before.uid, before.gid);
        await handle.chmod(before.mode & KEPT_MODE);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/** The name is on disk too. Windows has no such thing. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
