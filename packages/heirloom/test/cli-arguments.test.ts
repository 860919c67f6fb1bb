// The command line: what is understood, and what is said about the rest.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ArgumentsError, HELP, parseArguments } from "../dist/cli/arguments.js";

describe("parseArguments", () => {
  it("reads every option, in both forms", () => {
    assert.deepEqual(parseArguments([]), { action: "run" });
    assert.deepEqual(
      parseArguments([
        ...[
          "--host",
          "::1",
          "--port",
          "0",
          "--ws-port=8083",
          "--data",
          "/d",
          "--store=memory",
          "--config",
          "c.yaml",
        ],
      ]),
      { action: "run", host: "::1", port: 0, wsPort: 8083, data: "/d", store: "memory", config: "c.yaml" },
    );
    assert.deepEqual(parseArguments(["--version"]), { action: "version" });
    assert.deepEqual(parseArguments(["-h"]), { action: "help" });
  });

  const wrong: readonly (readonly [args: readonly string[], message: string])[] = [
    [["--prot", "1"], "--prot: there is no such option; did you mean --port?"],
    [["-x"], "-x: there is no such option"],
    [["1883"], 'seen "1883", expected options only'],
    [["--port"], "--port needs a value"],
    [["--port="], "--port needs a value"],
    [["--port", "--host"], '--port: seen "--host", expected a port from 0 to 65535'],
    [["--port", "65536"], '--port: seen "65536", expected a port from 0 to 65535'],
    [["--port", "1e3"], '--port: seen "1e3", expected a port from 0 to 65535'],
    [["--ws-port", "-1"], '--ws-port: seen "-1", expected a port from 0 to 65535'],
    [["--port", "1", "--port", "2"], "--port was given twice"],
    [["--store", "sqlite"], '--store: seen "sqlite", expected leveldb or memory'],
    [["--help=yes"], "--help takes no value"],
    [["--constructor"], "--constructor: there is no such option"],
  ];
  for (const [args, message] of wrong) {
    it(`refuses ${args.join(" ")}`, () => {
      assert.throws(() => parseArguments(args), new ArgumentsError(message));
    });
  }

  it("has every option in its help", () => {
    for (const name of ["host", "port", "ws-port", "data", "store", "config", "version", "help"]) {
      assert.match(HELP, new RegExp(`^  --${name}\\b`, "m"));
    }
  });
});
