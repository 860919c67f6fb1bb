// The examples of README.md do what the text beside them says. Each runs as a program of its own; only the port and the
// data directory are others. README.zh-CN.md has the same examples.

import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { connectAsync, type IClientOptions } from "mqtt";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const README = await readFile(join(ROOT, "README.md"), "utf8");

it("starts a server with `npx heirloom` that the shown clients can talk to", async (t) => {
  const command = exampleWith("npx heirloom", "sh").trim().split(" ");
  const { port, directory } = await placeFor(t);
  const manifest: { bin: { heirloom: string } } = JSON.parse(
    await readFile(join(ROOT, "packages/heirloom/package.json"), "utf8"),
  );
  assert.deepEqual(command, ["npx", "heirloom"]);
  const program = join(ROOT, "packages/heirloom", manifest.bin.heirloom);
  const server = run(t, [program, "--port", String(port), "--data", join(directory, "data")]);
  await printed(server, "listening on");
  assert.match(
    exampleWith("mosquitto_sub", "sh"),
    /-p 1883 .*-t 'greetings\/#'\n.*-p 1883 .*-t greetings\/world -m hello/,
  );
  assert.equal(await roundTrip(port, {}, "greetings/#", "greetings/world", "hello"), "hello");
});

it("has a script behind `npm start`", async () => {
  assert.equal(exampleWith("npm start", "sh").trim(), "npm start");
  const manifest: { scripts: { start: string } } = JSON.parse(
    await readFile(join(ROOT, "package.json"), "utf8"),
  );
  await readFile(join(ROOT, manifest.scripts.start.replace("node ", "")));
});

it("embeds a broker that prints what is published, once, and serves clients", async (t) => {
  const { port, directory } = await placeFor(t);
  const example = runExample(t, inPlace(exampleWith("sensors/kitchen", "js"), port, directory));
  await printed(example, "sensors/kitchen 21.5\n");
  assert.equal(await roundTrip(port, {}, "sensors/+", undefined, undefined), "21.5");
  await roundTrip(port, {}, "sensors/hall", "sensors/hall", "22");
  assert.equal(await printed(example, "sensors/hall 22\n"), "sensors/kitchen 21.5\nsensors/hall 22\n");
});

it("lets hooks decide who connects and who publishes where", async (t) => {
  const { port, directory } = await placeFor(t);
  const example = inPlace(exampleWith("NOT_AUTHORIZED", "js"), port, directory);
  await printed(runExample(t, `${example}\nconsole.log("started");`), "started");
  await assert.rejects(roundTrip(port, { username: "hall" }, "#", undefined, undefined), { code: 0x87 });
  assert.equal(await roundTrip(port, { username: "kitchen" }, "#", "kitchen/oven", "hot"), "hot");
  await assert.rejects(roundTrip(port, { username: "kitchen" }, "#", "hall/oven", "hot"), { code: 0x87 });
});

it("has a broker for tests whose time moves by hand, and that leaves nothing running", async (t) => {
  const example = runExample(t, exampleWith("createTestBroker", "js"));
  assert.deepEqual(await once(example, "exit"), [0, null]);
});

it("shows the same examples in Chinese", async () => {
  const chinese = await readFile(join(ROOT, "README.zh-CN.md"), "utf8");
  assert.deepEqual(examples(chinese), examples(README));
});

/** Code blocks with a language, with their language. */
function examples(page: string): string[] {
  return [...page.matchAll(/^```(\w+\n[^]*?)^```$/gm)].map(([, example = ""]) => example);
}

function exampleWith(word: string, language: string): string {
  const found = examples(README).find(
    (example) => example.startsWith(`${language}\n`) && example.includes(word),
  );
  assert.ok(found !== undefined, `no example in ${language} with ${word}`);
  return found.slice(language.length + 1);
}

/** The example with a port and a directory of this test. */
function inPlace(example: string, port: number, directory: string): string {
  assert.match(example, /port: 1883\b/);
  return example
    .replace("port: 1883", `port: ${port}`)
    .replace('"./data"', JSON.stringify(join(directory, "data")));
}

async function placeFor(t: TestContext): Promise<{ readonly port: number; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "heirloom-readme-"));
  t.after(() => rm(directory, { recursive: true }));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return { port, directory };
}

type Running = ChildProcessByStdio<null, Readable, null>;

/** In the root, where `heirloom` and `mqtt` are found by their names. */
function runExample(t: TestContext, program: string): Running {
  return run(t, ["--input-type=module", "--eval", program]);
}

function run(t: TestContext, args: readonly string[]): Running {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const isOver = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await isOver;
  });
  child.stdout.setEncoding("utf8");
  outputs.set(child, "");
  child.stdout.on("data", (text: string) => outputs.set(child, (outputs.get(child) ?? "") + text));
  return child;
}

const outputs = new Map<Running, string>();

/** Waits until `text` was printed. @returns all that was printed. */
async function printed(child: Running, text: string): Promise<string> {
  while (!(outputs.get(child) ?? "").includes(text)) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before it printed ${text}`);
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  }
  return outputs.get(child) ?? "";
}

/** Subscribes, publishes if there is something to publish, and waits. @returns the first payload that arrives. */
async function roundTrip(
  port: number,
  options: IClientOptions,
  topicFilter: string,
  topicName: string | undefined,
  payload: string | undefined,
): Promise<string> {
  const url = `mqtt://127.0.0.1:${port}`;
  const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...options }, false);
  try {
    const arrival = new Promise<string>((resolve) => {
      client.once("message", (_topic, message) => resolve(message.toString()));
    });
    await client.subscribeAsync(topicFilter);
    if (topicName !== undefined) await client.publishAsync(topicName, payload ?? "", { qos: 1 });
    return await arrival;
  } finally {
    await client.endAsync(true);
  }
}
