// The loader of password files: comments and empty lines are nothing, everything else is a user or an error.

import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ConfigError } from "heirloom";
import { parsePasswords, readPasswordFile } from "../dist/identity/password-file.js";
import { newDirectory } from "./support.ts";

const HASH =
  "$7$101$4oaWksWOHRWJVfQg$Ho2ye0pVwaQJ4mw8g9X1my7pne5CteSSoPg9UfNitHhW7a5lVmeC+isbs1pxJRf08hwA+EIsjmzryVjA12Xs9g==";

describe("parsePasswords", () => {
  it("reads users, and passes over comments and empty lines", () => {
    const users = parsePasswords(`# people\n\nalice:${HASH}\r\n   \nbob smith:${HASH}\n`, "f");
    assert.deepEqual([...users.keys()], ["alice", "bob smith"]);
  });

  for (const [line, message] of [
    ["alice", "seen a line without a colon, expected user:hash"],
    [":", "seen an empty user name, expected user:hash"],
    [`:${HASH}`, "seen an empty user name, expected user:hash"],
    ["alice:", 'user "alice": expected a hash of kind $scrypt$, $argon2id$, $scram-sha-256$, $7$ or $6$'],
    ["alice:secret", 'user "alice": expected a hash that begins with $'],
    [`ali\0ce:${HASH}`, "seen a user name with control characters, expected user:hash"],
    [`alice\r:${HASH}`, "seen a user name with control characters, expected user:hash"],
    [`\ufeffalice:${HASH}`, "seen a user name with control characters, expected user:hash"],
    [` alice:${HASH}`, "seen a user name with white space at its ends, expected user:hash"],
    [`alice:${HASH} `, 'user "alice": expected $7$iterations$salt$hash with 1 to 10000000 iterations'],
    [`alice:${HASH}\0`, 'user "alice": expected $7$iterations$salt$hash with 1 to 10000000 iterations'],
    [`known:${HASH}`, 'seen "known" for the second time'],
  ] as const) {
    it(`refuses ${JSON.stringify(line.slice(0, 20))} with its line - attack AUTHN-02`, () => {
      assert.throws(
        () => parsePasswords(`known:${HASH}\n# next\n${line}\n`, "passwords"),
        (error) => error instanceof ConfigError && error.message === `passwords:3: ${message}`,
      );
    });
  }

  it("makes no user of what is none, whatever the file has - attack AUTHN-02", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constant(`u:${HASH}`), fc.constant(HASH))), (lines) => {
        const text = lines.join("\n");
        try {
          for (const [username, hash] of parsePasswords(text, "f")) {
            assert.ok(text.split(/\r?\n/).includes(`${username}:${hash.text}`));
            assert.notEqual(username, "");
          }
        } catch (error) {
          assert.ok(error instanceof ConfigError);
        }
      }),
    );
  });
});

describe("readPasswordFile", () => {
  it("warns of a file that every user of the machine can read - attack CFG-03", async (context) => {
    const file = join(await newDirectory(context), "passwords");
    await writeFile(file, `alice:${HASH}\n`);
    await chmod(file, 0o644);
    assert.match((await readPasswordFile(file)).warnings.join(), /can be read by every user/);
    await chmod(file, 0o640);
    assert.deepEqual((await readPasswordFile(file)).warnings, []);
  });

  it("says which file is not there, or is no text", async (context) => {
    const directory = await newDirectory(context);
    await assert.rejects(readPasswordFile(join(directory, "none")), /none: cannot be read: ENOENT/);
    const file = join(directory, "binary");
    await writeFile(file, Buffer.from([0x61, 0xff, 0x3a]));
    await assert.rejects(readPasswordFile(file), /binary: is not UTF-8/);
  });
});
