// The command `heirloom passwd FILE USER`: sets or deletes one password. It never takes a password from the command line,
// which every user of the machine can read while a program runs.

import { parseArgs } from "node:util";
import { ConfigError, messageOf } from "../errors.ts";
import { editPasswordFile, type PasswordEdit } from "../identity/edit-password-file.ts";
import { MAXIMUM_PASSWORD_BYTES } from "../identity/password-authenticator.ts";
import { hashPassword } from "../identity/password-hash.ts";
import { lineNameFault } from "../identity/password-file.ts";
import { preparePassword, ScramCredential } from "../identity/scram-credential.ts";
import { ArgumentsError } from "./arguments.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";
import { askTwice, readLineOf } from "./ask-password.ts";

interface PasswdArguments {
  readonly file: string;
  readonly username: string;
  readonly isDelete: boolean;
  readonly isScram: boolean;
  readonly isStdin: boolean;
}

/** Changes a password file and says what was done. Sets the exit code when it could not. */
export async function passwd(args: readonly string[]): Promise<void> {
  try {
    const options = parsePasswd(args);
    const { file, username } = options;
    const hash = options.isDelete ? undefined : await makeHash(options);
    const edit = await editPasswordFile(file, username, hash);
    console.log(WORDS[edit].replace("USER", JSON.stringify(username)).replace("FILE", file));
  } catch (error) {
    console.error(`heirloom: ${messageOf(error)}`);
    process.exitCode = codeOf(error);
  }
}

const WORDS: Readonly<Record<PasswordEdit, string>> = {
  added: "user USER was added to FILE",
  changed: "the password of user USER was changed in FILE",
  deleted: "user USER was deleted from FILE",
};

/** @throws ArgumentsError */
export function parsePasswd(args: readonly string[]): PasswdArguments {
  const { values, positionals } = parsed(args);
  const [file, username, ...rest] = positionals;
  if (rest.length > 0) {
    throw new ArgumentsError(
      "passwd takes a file and a user; a password on the command line could be seen by all users of this machine: " +
        "it is asked for, or read with --stdin",
    );
  }
  if (file === undefined || username === undefined)
    throw new ArgumentsError("passwd needs a file and a user");
  const { delete: isDelete, scram: isScram, stdin: isStdin } = values;
  if (isDelete && (isScram || isStdin)) throw new ArgumentsError("--delete needs no password");
  const fault = lineNameFault(username);
  if (fault !== undefined && !isDelete)
    throw new ArgumentsError(`seen ${fault}, expected the name of a user`);
  return { file, username, isDelete, isScram, isStdin };
}

function parsed(args: readonly string[]): {
  values: { delete: boolean; scram: boolean; stdin: boolean };
  positionals: string[];
} {
  const flag = { type: "boolean", default: false } as const;
  try {
    const options = { delete: flag, scram: flag, stdin: flag };
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new ArgumentsError(messageOf(error));
  }
}

async function makeHash({ isScram, isStdin }: PasswdArguments): Promise<string> {
  if (!isStdin && !process.stdin.isTTY) {
    throw new ArgumentsError("standard input is no terminal; expected --stdin, or a terminal to ask at");
  }
  const password = isStdin ? await readLineOf(process.stdin) : await askTwice(process.stdin, process.stderr);
  if (password.length === 0) throw new ArgumentsError("seen an empty password, expected one that is not");
  if (password.length > MAXIMUM_PASSWORD_BYTES) {
    throw new ArgumentsError(`seen a password of more than ${MAXIMUM_PASSWORD_BYTES} bytes`);
  }
  if (password.includes(0)) throw new ArgumentsError("seen a password with a NUL character");
  if (!isScram) return hashPassword(password);
  const prepared = preparePassword(password);
  if (prepared === undefined)
    throw new ArgumentsError("seen a password with characters that SCRAM does not allow");
  return (await ScramCredential.make(prepared)).toText();
}

function codeOf(error: unknown): number {
  if (error instanceof ArgumentsError) return ExitCode.USAGE;
  if (error instanceof ConfigError) return ExitCode.CONFIG;
  return exitCodeOf(error) ?? ExitCode.IO;
}
