// The command `heirloom passwd FILE USER`: sets or deletes one password. It never takes a password from the command line,
// which every user of the machine can read while a program runs.

import { parseArgs } from "node:util";
import { ConfigError, messageOf } from "../errors.ts";
import { unknownOption } from "../config/findings.ts";
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
    if (options === "help") {
      console.log(HELP);
      return;
    }
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

const HELP = `Usage: heirloom passwd [--scram] [--stdin] [--delete] FILE USER

Sets the password of a user in a password file, which is made if it is not there. Asks for the password twice. The
server reads the file anew at SIGHUP.

  --stdin     reads the password from standard input: one line
  --scram     stores it for SCRAM-SHA-256; such a user can also log in with name and password
  --delete    deletes the user
  --help      print this

Exit codes: 0 done, 64 wrong command line, 74 the file cannot be written, 78 the file is wrong, or has no such user.`;

/** @throws ArgumentsError */
export function parsePasswd(args: readonly string[]): PasswdArguments | "help" {
  const { values, positionals } = parsed(args);
  if (values.help) return "help";
  const [file, username, ...rest] = positionals;
  if (rest.length > 0) {
    throw new ArgumentsError(
      "passwd takes a file and a user; a password on the command line could be seen by all users of this machine: " +
        "it is asked for, or read with --stdin",
    );
  }
  if (file === undefined || username === undefined)
    throw new ArgumentsError("passwd needs a file and a user (heirloom passwd --help)");
  const { delete: isDelete, scram: isScram, stdin: isStdin } = values;
  if (isDelete && (isScram || isStdin)) throw new ArgumentsError("--delete needs no password");
  const fault = lineNameFault(username);
  if (fault !== undefined && !isDelete)
    throw new ArgumentsError(`seen ${fault}, expected the name of a user`);
  return { file, username, isDelete, isScram, isStdin };
}

const FLAGS = {
  delete: { type: "boolean" },
  scram: { type: "boolean" },
  stdin: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

type Flag = keyof typeof FLAGS;

function parsed(args: readonly string[]): {
  values: Record<Flag, boolean>;
  positionals: string[];
} {
  // Not strict: the messages of `parseArgs` guess at what was meant less well than ours.
  const { tokens } = parseArgs({ args: [...args], options: FLAGS, strict: false, tokens: true });
  const values = { delete: false, scram: false, stdin: false, help: false };
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (!isFlag(name)) {
      const message = unknownOption(name, Object.keys(FLAGS)).replace("mean ", "mean --");
      throw new ArgumentsError(`${rawName}: ${message} (heirloom passwd --help)`);
    }
    // What stands there may be a password: it is not shown.
    if (value !== undefined) throw new ArgumentsError(`${rawName} takes no value`);
    values[name] = true;
  }
  return { values, positionals };
}

function isFlag(name: string): name is Flag {
  return Object.hasOwn(FLAGS, name);
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
