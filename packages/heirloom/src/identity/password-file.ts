// Reads a password file: lines `user:hash`, comments that begin with `#`, empty lines. Mosquitto's files are such files.
// Strict: a line that is anything else is an error with its number, never a user.

import { ConfigError, messageOf, type ConfigProblem } from "../errors.ts";
import { fileError, readBytes } from "./files.ts";
import { parsePasswordHash, type PasswordHash } from "./password-hash.ts";
import { usernameFault } from "./username.ts";

/** Who may log in, by user name. */
export type PasswordTable = ReadonlyMap<string, PasswordHash>;

/** What was found in a file. */
export interface PasswordFile {
  readonly users: PasswordTable;
  /** Those of `users`, in their order. */
  readonly hashes: readonly PasswordHash[];
  /** What an operator should look at. */
  readonly warnings: readonly string[];
}

/** One line of a file that names a user. */
export interface PasswordLine {
  readonly username: string;
  readonly hash: string;
}

/** @throws ConfigError when the file cannot be read or has a line that is wrong. */
export async function readPasswordFile(file: string): Promise<PasswordFile> {
  const { bytes, warnings } = await readBytes(file);
  const users = parsePasswords(decode(bytes, file), file);
  await checkArgon2(users, file);
  return { users, hashes: [...users.values()], warnings };
}

/** Reads the text of a password file. `file` is its name in messages. @throws ConfigError */
export function parsePasswords(text: string, file: string): PasswordTable {
  const users = new Map<string, PasswordHash>();
  const problems: ConfigProblem[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const read = readLine(line, users);
    if (typeof read === "string") problems.push({ option: "", message: read, line: index + 1 });
    else if (read !== undefined) users.set(read.username, read.hash);
  });
  if (problems.length > 0) throw new ConfigError(problems, file);
  return users;
}

/** Splits a line that names a user. `undefined` for comments and empty lines. Says nothing about the hash. */
export function splitPasswordLine(line: string): PasswordLine | undefined {
  if (line.startsWith("#") || line.trim() === "") return undefined;
  const colon = line.indexOf(":");
  return { username: line.slice(0, Math.max(colon, 0)), hash: line.slice(colon + 1) };
}

/** What is wrong with a user name for a password file; `undefined` when nothing is. */
export function lineNameFault(username: string): string | undefined {
  const fault = usernameFault(username);
  if (fault !== undefined) return fault;
  if (username.trim() !== username) return "a user name with white space at its ends";
  if (username.includes(":")) return "a user name with a colon";
  return username.startsWith("#") ? "a user name that begins like a comment" : undefined;
}

/** @returns a user, nothing for a line without one, or what is wrong. Never shows what might be a password. */
function readLine(
  line: string,
  users: PasswordTable,
): { readonly username: string; readonly hash: PasswordHash } | string | undefined {
  const split = splitPasswordLine(line);
  if (split === undefined) return undefined;
  if (!line.includes(":")) return "seen a line without a colon, expected user:hash";
  const { username } = split;
  const fault = lineNameFault(username);
  if (fault !== undefined) return `seen ${fault}, expected user:hash`;
  if (users.has(username)) return `seen ${JSON.stringify(username)} for the second time`;
  const hash = parsePasswordHash(split.hash);
  if ("fault" in hash) return `user ${JSON.stringify(username)}: expected ${hash.fault}`;
  return { username, hash };
}

/** The byte order mark stays, and is found to be no part of a user name. */
function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw fileError(file, "is not UTF-8");
  }
}

/** Not every platform has Argon2. It is better to know at the start than at the first login. */
async function checkArgon2(users: PasswordTable, file: string): Promise<void> {
  const user = [...users].find(([, { text }]) => text.startsWith("$argon2id$"));
  if (user === undefined) return;
  try {
    await import("@node-rs/argon2");
  } catch (error) {
    throw fileError(file, `user ${JSON.stringify(user[0])}: Argon2 does not work here: ${messageOf(error)}`);
  }
}
