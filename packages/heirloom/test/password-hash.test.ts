// Hashes of passwords: ours, Argon2id, SCRAM and Mosquitto's; and what is no hash.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashPassword, parsePasswordHash, type PasswordHash } from "../dist/identity/password-hash.js";

/** Each is that of "secret", made by another program. */
const SECRET: ReadonlyMap<string, string> = new Map([
  [
    "Mosquitto's $6$ (mosquitto_passwd -H sha512)",
    "$6$Z+EOWs+v51Wnzbn6$xJjmSku+F/JrIE0AZG3QWiHJW0FmiY0Acj/Iz2siHpyHOoNbe5s7TOFFQHOenZeYFKksbxee6QVJowzVzgPZ/g==",
  ],
  [
    "Mosquitto's $7$ (mosquitto_passwd)",
    "$7$101$4oaWksWOHRWJVfQg$Ho2ye0pVwaQJ4mw8g9X1my7pne5CteSSoPg9UfNitHhW7a5lVmeC+isbs1pxJRf08hwA+EIsjmzryVjA12Xs9g==",
  ],
  [
    "Argon2id",
    "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$sJpplSekXew1kEWemINJPY1grzqnCfnieOmsPQkTNy0",
  ],
  [
    "SCRAM-SHA-256",
    "$scram-sha-256$i=4096$yF8kS/892L6C5zQt5b/fAw==$5B+gAPOsLoahcklR3lHhaqjI3LEGOO3YV99BY45bc5s=$7jKcI7Uc5+WgwByDk0a2zkXsWXbmuccUdRnLVy8fDVw=",
  ],
  ["scrypt", "$scrypt$ln=4,r=8,p=1$c29tZXNhbHQ$02EnPn++E8nGDuy1mGLwit4Ysl0ofJ1yQ2lc1H90iOs"],
]);

function hashOf(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  assert.ok(!("fault" in hash), "fault" in hash ? hash.fault : "");
  return hash;
}

describe("parsePasswordHash", () => {
  for (const [kind, text] of SECRET) {
    it(`tells the right password from others: ${kind} - attack AUTHN-04`, async () => {
      const hash = hashOf(text);
      assert.equal(await hash.verify(Buffer.from("secret")), true);
      const long = Buffer.alloc(1_024, "a");
      const wrong = ["", "Secret", "SECRET", "secret\0", "secret ", "secre", "secrets", "\ufeffsecret"];
      for (const password of [...wrong.map((one) => Buffer.from(one)), long, Buffer.from([0xff, 0xfe])]) {
        assert.equal(await hash.verify(password), false, JSON.stringify(password.toString("latin1")));
      }
    });
  }

  it("looks at every byte of a long password - attack AUTHN-04", async () => {
    const password = Buffer.alloc(1_024, "a");
    const hash = hashOf(await hashPassword(password));
    assert.equal(await hash.verify(password), true);
    assert.equal(await hash.verify(password.subarray(0, 1_023)), false);
    const other = Buffer.from(password);
    other[1_023] = 0x62;
    assert.equal(await hash.verify(other), false);
  });

  it("makes another hash each time", async () => {
    const one = await hashPassword(Buffer.from("x"));
    assert.notEqual(one, await hashPassword(Buffer.from("x")));
    assert.match(one, /^\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}\$[\w+/]{43}$/);
  });

  for (const text of [
    "",
    "secret",
    "$",
    "$$",
    "$1$salt$hash",
    "$5$c2FsdA==$aGFzaA==",
    "$6$c2FsdA==",
    "$6$c2FsdA==$aGFzaA==",
    "$7$101$c2FsdA==$aGFzaA==",
    "$7$0$4oaWksWOHRWJVfQg$Ho2ye0pVwaQJ4mw8g9X1my7pne5CteSSoPg9UfNitHhW7a5lVmeC+isbs1pxJRf08hwA+EIsjmzryVjA12Xs9g==",
    "$7$-1$4oaWksWOHRWJVfQg$Ho2ye0pVwaQJ4mw8g9X1my7pne5CteSSoPg9UfNitHhW7a5lVmeC+isbs1pxJRf08hwA+EIsjmzryVjA12Xs9g==",
    "$7$99999999$4oaWksWOHRWJVfQg$Ho2ye0pVwaQJ4mw8g9X1my7pne5CteSSoPg9UfNitHhW7a5lVmeC+isbs1pxJRf08hwA+EIsjmzryVjA12Xs9g==",
    "$scrypt$ln=15,r=8,p=1$c29tZXNhbHQ",
    "$scrypt$ln=0,r=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$scrypt$ln=30,r=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$scrypt$ln=15,r=8,p=1$c29tZXNhbHQ$AAAA",
    "$scrypt$ln=15,r=8,p=1$$",
    "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=19$m=999999999,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$scram-sha-256$i=1$yF8kS/892L6C5zQt5b/fAw==$5B+gAPOsLoahcklR3lHhaqjI3LEGOO3YV99BY45bc5s=$7jKcI7Uc5+WgwByDk0a2zkXsWXbmuccUdRnLVy8fDVw=",
  ]) {
    it(`is not content with ${JSON.stringify(text.slice(0, 50))} - attack AUTHN-02`, () => {
      assert.ok("fault" in parsePasswordHash(text));
    });
  }
});
