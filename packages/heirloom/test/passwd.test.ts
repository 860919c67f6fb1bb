// `heirloom passwd`: what it writes, how it writes it, and what it never does.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { askTwice } from "../dist/cli/ask-password.js";
import { parsePasswd } from "../dist/cli/passwd.js";
import { editPasswordFile } from "../dist/identity/edit-password-file.js";
import { parsePasswords, readPasswordFile } from "../dist/identity/password-file.js";
import { newDirectory } from "./support.ts";

const HASH =
  "$7$101$4oaWksWOHRWJVfQg$Ho2ye0pVwaQJ4mw8g9X1my7pne5CteSSoPg9UfNitHhW7a5lVmeC+isbs1pxJRf08hwA+EIsjmzryVjA12Xs9g==";
const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  /** The arguments as other users of the machine see them; of Linux only. */
  readonly commandLine: string;
}

async function passwd(
  context: TestContext,
  args: readonly string[],
  input: string | Uint8Array,
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, "passwd", ...args], { stdio: ["pipe", "pipe", "pipe"] });
  context.after(() => child.kill("SIGKILL"));
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const commandLine = await readFile(`/proc/${child.pid}/cmdline`, "utf8").catch(() => "");
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, output, errors, commandLine };
}

describe("heirloom passwd", () => {
  for (const kind of [[], ["--scram"]]) {
    it(`writes a password that lets its user in, and nobody sees it ${kind.join()} - attack CFG-04, attack AUTHN-14`, async (context) => {
      const file = join(await newDirectory(context), "passwords");
      const { code, output, errors, commandLine } = await passwd(
        context,
        ["--stdin", ...kind, file, "alice"],
        "canary-pw\nmore",
      );
      assert.equal(code, 0);
      assert.equal(errors, "");
      assert.equal(output, `user "alice" was added to ${file}\n`);
      const text = await readFile(file, "utf8");
      for (const printed of [output, commandLine, text]) assert.doesNotMatch(printed, /canary/);
      const hash = (await readPasswordFile(file)).users.get("alice");
      assert.equal(await hash?.verify(Buffer.from("canary-pw")), true);
      assert.equal(await hash?.verify(Buffer.from("canary-pw\n")), false);
    });
  }

  it("takes no password from the command line - attack CFG-04", async (context) => {
    const file = join(await newDirectory(context), "passwords");
    const { code, errors } = await passwd(context, [file, "alice", "canary"], "");
    assert.equal(code, 64);
    assert.match(errors, /could be seen by all users/);
    assert.doesNotMatch(errors, /canary/);
  });

  for (const [what, args, input, message] of [
    ["an empty password", ["--stdin", "F", "alice"], "\n", "seen an empty password"],
    ["no password at all", ["--stdin", "F", "alice"], "", "seen an empty password"],
    ["a NUL", ["--stdin", "F", "alice"], "a\0b\n", "with a NUL character"],
    ["a password that is too long", ["--stdin", "F", "alice"], "x".repeat(1_025), "more than 1024 bytes"],
    ["nothing to ask at", ["F", "alice"], "", "standard input is no terminal"],
    ["no user", ["--stdin", "F"], "x\n", "passwd needs a file and a user"],
    ["a user with a colon", ["--stdin", "F", "a:b"], "x\n", "seen a user name with a colon"],
    ["a user like a comment", ["--stdin", "F", "#a"], "x\n", "begins like a comment"],
    ["an unknown option", ["--password", "F", "a"], "x\n", "--password"],
  ] as const) {
    it(`refuses ${what} and writes nothing`, async (context) => {
      const directory = await newDirectory(context);
      const named = args.map((arg) => (arg === "F" ? join(directory, "passwords") : arg));
      const { code, errors } = await passwd(context, named, input);
      assert.equal(code, 64);
      assert.ok(errors.includes(message), errors);
      assert.deepEqual(await readdir(directory), []);
    });
  }

  it("knows its options", () => {
    assert.deepEqual(parsePasswd(["--delete", "f", "u"]), {
      file: "f",
      username: "u",
      isDelete: true,
      isScram: false,
      isStdin: false,
    });
    assert.throws(() => parsePasswd(["--delete", "--scram", "f", "u"]), { code: "ARGUMENTS" });
    assert.equal(parsePasswd(["--help"]), "help");
    assert.throws(
      () => parsePasswd(["--stdn", "f", "u"]),
      /--stdn: there is no such option; did you mean --stdin\?/,
    );
    const secret = (): unknown => parsePasswd(["--stdin=canary-pw", "f", "u"]);
    assert.throws(secret, (error: Error) => !error.message.includes("canary"));
  });
});

describe("askTwice", () => {
  /** A terminal with somebody who types. */
  async function typed(text: string): Promise<{ password: string; shown: string; raw: boolean[] }> {
    const raw: boolean[] = [];
    const input = Object.assign(new PassThrough(), { setRawMode: (mode: boolean) => void raw.push(mode) });
    const output = new PassThrough();
    for (const byte of Buffer.from(text)) input.write(Buffer.from([byte]));
    // What it needs of a terminal it has.
    const password = await askTwice(input as unknown as Parameters<typeof askTwice>[0], output);
    return { password: password.toString(), shown: String(output.read()), raw };
  }

  it("shows nothing of what is typed, and gives the terminal back", async () => {
    const { password, shown, raw } = await typed("secrxet\x7f\x7f\x7fet\rsecret\r");
    assert.equal(password, "secret");
    assert.equal(shown, "Password: \nOnce more: \n");
    assert.deepEqual(raw, [true, false, true, false]);
  });

  it("loses nothing of what is pasted in one piece", async () => {
    const input = Object.assign(new PassThrough(), { setRawMode: () => {} });
    input.write("secret\rsecret\r");
    const output = new PassThrough();
    const password = await askTwice(input as unknown as Parameters<typeof askTwice>[0], output);
    assert.equal(password.toString(), "secret");
  });

  it("takes back whole characters", async () => {
    assert.equal((await typed("aü€\x7f\x7fb\rab\r")).password, "ab");
  });

  it("changes nothing when the two differ, or at Ctrl-C", async () => {
    await assert.rejects(typed("one\rother\r"), /the two passwords differ/);
    await assert.rejects(typed("one\x03"), /interrupted/);
  });
});

describe("editPasswordFile", () => {
  it("keeps comments, other lines and their order", async (context) => {
    const file = join(await newDirectory(context), "passwords");
    await writeFile(file, `# people\nalice:${HASH}\n\nbob:${HASH}\n# end`);
    assert.equal(await editPasswordFile(file, "alice", "$6$new"), "changed");
    assert.equal(await readFile(file, "utf8"), `# people\nalice:$6$new\n\nbob:${HASH}\n# end\n`);
    await writeFile(file, `# people\nalice:${HASH}\n\nbob:${HASH}\n# end`);
    assert.equal(await editPasswordFile(file, "carol", HASH), "added");
    assert.equal(await editPasswordFile(file, "bob", undefined), "deleted");
    assert.equal(await readFile(file, "utf8"), `# people\nalice:${HASH}\n\n# end\ncarol:${HASH}\n`);
    assert.deepEqual([...parsePasswords(await readFile(file, "utf8"), file).keys()], ["alice", "carol"]);
  });

  it("makes files that only their owner can read, whatever the umask - attack CFG-03", async (context) => {
    const before = process.umask(0);
    context.after(() => process.umask(before));
    const file = join(await newDirectory(context), "passwords");
    await editPasswordFile(file, "alice", HASH);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await chmod(file, 0o646);
    await editPasswordFile(file, "bob", HASH);
    assert.equal((await stat(file)).mode & 0o777, 0o640, "the group keeps what it has, others get nothing");
  });

  it("does not follow symbolic links, and replaces none - attack CFG-03", async (context) => {
    const directory = await newDirectory(context);
    const [target, link] = [join(directory, "target"), join(directory, "link")];
    await writeFile(target, `alice:${HASH}\n`);
    await symlink(target, link);
    await assert.rejects(editPasswordFile(link, "bob", HASH), /it is a symbolic link/);
    await symlink(join(directory, "none"), join(directory, "dangling"));
    await assert.rejects(editPasswordFile(join(directory, "dangling"), "bob", HASH), /it is a symbolic link/);
    assert.equal(await readFile(target, "utf8"), `alice:${HASH}\n`);
    assert.ok((await lstat(link)).isSymbolicLink());
  });

  it("leaves the old file, and nothing else, when it cannot be done", async (context) => {
    const directory = await newDirectory(context);
    const file = join(directory, "passwords");
    await writeFile(file, "alice\n");
    await assert.rejects(editPasswordFile(file, "bob", HASH), /passwords:1: seen a line without a colon/);
    await writeFile(file, `alice:${HASH}\n`);
    await assert.rejects(editPasswordFile(file, "bob", undefined), /there is no user "bob"/);
    await mkdir(join(directory, "folder"));
    await assert.rejects(editPasswordFile(join(directory, "folder"), "bob", HASH), /it is no file/);
    await assert.rejects(editPasswordFile(join(directory, "none", "f"), "bob", HASH), /cannot be written/);
    assert.deepEqual((await readdir(directory)).sort(), ["folder", "passwords"]);
    assert.equal(await readFile(file, "utf8"), `alice:${HASH}\n`);
  });
});
