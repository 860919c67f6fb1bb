// Mosquitto's ACL files: how they are read, and what they mean. Compared with Mosquitto itself in test/interop.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError } from "heirloom";
import { readAclFile } from "../dist/permissions/acl-file.js";
import { someone } from "./permissions-support.js";

const ANNA = someone({ username: "anna", clientId: "c1" });
const NOBODY = someone();

function words(text: string, client = ANNA) {
  const access = readAclFile(text, "acl").accessOf(client);
  return {
    read: (topic: string) => access.receive(topic) ?? "-",
    write: (topic: string) => access.publish(topic, 2, true) ?? "-",
    subscribe: (filter: string) => access.subscribe(filter, 2, undefined) ?? "-",
  };
}

describe("readAclFile", () => {
  it("lines before the first user are for anonymous clients, those behind a user for this user alone", () => {
    const file = "topic read news/#\n\nuser anna\ntopic private/anna\r\nuser berta\ntopic write b\n";
    assert.equal(words(file, NOBODY).read("news/1"), "allow");
    assert.equal(words(file, NOBODY).write("news/1"), "-");
    assert.equal(words(file).read("news/1"), "-");
    assert.equal(words(file).read("private/anna"), "allow");
    assert.equal(words(file).write("private/anna"), "allow");
    assert.equal(words(file).write("b"), "-");
  });

  it("patterns are for everybody, wherever they stand; %u and %c are one level", () => {
    const file = "user berta\npattern readwrite dev/%c/#\npattern write log/%u\n";
    assert.equal(words(file).read("dev/c1/x"), "allow");
    assert.equal(words(file).read("dev/c2/x"), "-");
    assert.equal(words(file).write("log/anna"), "allow");
    assert.equal(words(file, NOBODY).write("log/"), "-");
  });

  it("deny lines win among a user's own lines, in any order; patterns come after those", () => {
    const file = [
      "user anna",
      "topic readwrite a/#",
      "topic deny a/secret",
      "pattern deny a/b",
      "pattern readwrite a/secret",
      "pattern read c/#",
      "pattern deny c/x",
    ].join("\n");
    assert.equal(words(file).read("a/secret"), "deny");
    assert.equal(words(file).write("a/secret"), "deny");
    assert.equal(words(file).read("a/b"), "allow");
    assert.equal(words(file).read("c/y"), "allow");
    assert.equal(words(file).read("c/x"), "deny");
  });

  it("filters may have spaces, and a lone word is a filter - as Mosquitto reads them", () => {
    const file = "user anna smith  \ntopic  read   a b/ c\ntopic read\ntopic a\ttab\n# topic x\n";
    const smith = someone({ username: "anna smith" });
    assert.equal(words(file, smith).read("a b/ c"), "allow");
    assert.equal(words(file, smith).write("a b/ c"), "-");
    assert.equal(words(file, smith).write("read"), "allow");
    assert.equal(words(file, smith).write("a\ttab"), "allow");
    assert.equal(words(file, smith).write("x"), "-");
  });

  it("grants a filter that overlaps with something readable; wildcards do not reach $SYS - attack AUTHZ-10", () => {
    const file = "user anna\ntopic read a/b\ntopic write w\ntopic deny a/c\n";
    assert.equal(words(file).subscribe("#"), 2);
    assert.equal(words(file).subscribe("a/+"), 2);
    assert.equal(words(file).subscribe("b/#"), "-");
    assert.equal(words(file).subscribe("w"), "-");
    assert.equal(words(file).subscribe("a/c"), "deny");
    assert.equal(words("user anna\ntopic read #").read("$SYS/x"), "-");
    assert.equal(words("user anna\ntopic read #").subscribe("$SYS/#"), "-");
    assert.equal(words("user anna\ntopic read $SYS/#").read("$SYS/x"), "allow");
  });

  it("a file without a rule allows nothing - attack AUTHZ-12", () => {
    for (const file of ["", "\n\n", "# nothing\n", "   \n", "user anna\n"]) {
      assert.equal(words(file).read("a"), "-");
      assert.equal(words(file).write("a"), "-");
      assert.equal(words(file).subscribe("#"), "-");
    }
  });

  it("refuses a file with a line that it does not understand, and names each - attack AUTHZ-12", () => {
    const file =
      "topic\nuser\n  # no comment\ntopic sometimes a\ntopic read a/#/b\nwrite a\npattern %u%c\nuser a\0b\n\ttopic a\n";
    assert.throws(
      () => readAclFile(file, "my.acl"),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(
          error.problems.map(({ line }) => line),
          [1, 2, 3, 4, 5, 6, 7, 8, 9],
        );
        assert.match(error.message, /^my\.acl:1: seen `topic` alone, expected a topic filter behind it$/m);
        assert.match(
          error.message,
          /^my\.acl:4: seen the access `sometimes`, expected read, write, readwrite or deny$/m,
        );
        return true;
      },
    );
  });

  it("a name with wildcards is refused everything as soon as patterns use it - attack AUTHZ-01", () => {
    const rules = readAclFile("topic read a\npattern read b/%u/#\n", "acl");
    assert.match(rules.identityFault(someone({ username: "+" })) ?? "", /user name/);
    assert.equal(rules.identityFault(someone({ username: "x", clientId: "a/b" })), undefined);
    assert.equal(rules.accessOf(someone({ username: "#" })).receive("b/x"), "deny");
  });
});
