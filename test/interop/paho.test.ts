// Eclipse Paho for Python, as Debian has it, over TCP and over WebSocket.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { newDirectory, removeDirectory } from "./src/directory.ts";
import { Program, unlessSucceeds } from "./src/program.ts";
import { ServerProcess } from "./src/server.ts";

/** Debian's own: packages of Debian are not there for other Pythons. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("../src/paho-client.py", import.meta.url));

describe("Paho for Python", { skip: unlessSucceeds([PYTHON, "-c", "import paho.mqtt.client"]) }, () => {
  let server: ServerProcess;
  let data: string;

  before(async () => {
    data = await newDirectory("paho");
    server = await ServerProcess.start({ data });
  });

  after(async () => {
    await server.stop();
    await removeDirectory(data);
  });

  for (const transport of ["tcp", "websockets"]) {
    for (const level of [3, 4, 5]) {
      test(`over ${transport}, protocol level ${level}: QoS, retained, will, lasting session, properties`, async () => {
        const port = transport === "tcp" ? server.port : server.wsPort;
        const output = await Program.run([PYTHON, SCRIPT, String(port), transport, String(level)]);
        const properties = [["text/plain", "answers", "abc", [["colour", "red"]]]];
        assert.deepEqual(jsonLines(output), [
          ["qos/0", "text", 0, false],
          ["qos/1", "text", 1, false],
          ["qos/2", "text", 2, false],
          ["retained", "kept", 1, true],
          ["will", "gone", 1, false],
          // 3.1 has no way to say it.
          ["session present", level !== 3],
          ["missed", "text", 1, false],
          ["missed", "text", 2, false],
          ...(level === 5 ? properties : []),
        ]);
      });
    }
  }
});

function jsonLines(output: string): unknown[] {
  const lines = output.split("\n").filter((line) => line.startsWith("["));
  return lines.map((line): unknown => JSON.parse(line));
}
