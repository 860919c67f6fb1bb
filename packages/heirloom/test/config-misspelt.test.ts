// An option with one letter wrong is an error, never ignored: each option of each table, each letter of its name.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ADMISSION_OPTIONS } from "../dist/config/admission-options.js";
import { parseConfig } from "../dist/config/file.js";
import { optionsOf } from "../dist/config/fields.js";
import { LISTENER_LIMIT_OPTIONS, LISTENER_OPTIONS } from "../dist/config/listener-options.js";
import { GENERAL_OPTIONS, LIMIT_OPTIONS } from "../dist/config/options.js";
import { ConfigError } from "heirloom";

const GENERAL = [...optionsOf(GENERAL_OPTIONS), ...optionsOf(ADMISSION_OPTIONS), ...optionsOf(LIMIT_OPTIONS)]
  .map(({ name }) => name)
  .concat("listeners", "authentication", "loginLimits", "permissions");
const OF_LISTENERS = [...optionsOf(LISTENER_OPTIONS), ...optionsOf(LISTENER_LIMIT_OPTIONS)].map(
  ({ name }) => name,
);

/** The name with each letter left out, doubled, and in the other case. */
function misspelt(name: string): string[] {
  return Array.from(name).flatMap((letter, index) => {
    const [before, after] = [name.slice(0, index), name.slice(index + 1)];
    const other = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
    return [`${before}${after}`, `${before}${letter}${letter}${after}`, `${before}${other}${after}`];
  });
}

describe("a misspelt option", () => {
  for (const [where, names, configuration] of [
    ["of the server", GENERAL, (name: string) => `${name}: 1\n`],
    ["of a listener", OF_LISTENERS, (name: string) => `listeners:\n  - { ${name}: 1 }\n`],
  ] as const) {
    it(`${where} keeps it from starting, with the one that was meant - attack CFG-02`, () => {
      let suggestions = 0;
      for (const name of names) {
        for (const wrong of misspelt(name)) {
          if (wrong === "" || names.includes(wrong)) continue;
          assert.throws(
            () => parseConfig(configuration(wrong), "c.yaml"),
            (error) => {
              assert.ok(error instanceof ConfigError);
              assert.match(error.message, /there is no such option/);
              if (error.message.includes(`did you mean ${name}?`)) suggestions++;
              return true;
            },
          );
        }
      }
      assert.ok(suggestions > 20 * names.length, `${suggestions} suggestions for ${names.length} names`);
    });
  }
});
