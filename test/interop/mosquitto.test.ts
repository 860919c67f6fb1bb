// mosquitto_pub and mosquitto_sub, the command line that most people try a broker with.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { newDirectory, removeDirectory } from "./src/directory.ts";
import { Program, unlessInstalled } from "./src/program.ts";
import { ServerProcess } from "./src/server.ts";

/** How mosquitto_sub prints a message: topic, QoS, retain, payload. */
const FORMAT = "%t %q %r %p";

const skip = unlessInstalled("mosquitto_sub", "mosquitto_pub", "stdbuf");

describe("mosquitto_pub and mosquitto_sub", { skip }, () => {
  let server: ServerProcess;
  let data: string;

  before(async () => {
    data = await newDirectory("mosquitto");
    server = await ServerProcess.start({ data });
  });

  after(async () => {
    await server.stop();
    await removeDirectory(data);
  });

  const arguments_ = (version: string): string[] => [
    "-V",
    version,
    "-h",
    "127.0.0.1",
    "-p",
    String(server.port),
  ];

  const publish = (version: string, ...args: string[]): Promise<string> =>
    Program.run(["mosquitto_pub", ...arguments_(version), ...args]);

  /** Starts mosquitto_sub and waits until it has subscribed. */
  const subscribe = async (version: string, ...args: string[]): Promise<Program> => {
    const program = new Program([
      // Into a pipe it prints late otherwise.
      ...(["stdbuf", "-oL", "mosquitto_sub"] as const),
      ...arguments_(version),
      ...["-d", "-F", `got ${FORMAT}`, ...args],
    ]);
    await program.printed("Subscribed");
    return program;
  };

  for (const version of ["mqttv31", "mqttv311", "mqttv5"]) {
    test(`${version}: messages of every QoS arrive`, async () => {
      const reader = await subscribe(version, "-q", "2", "-t", `${version}/qos/#`, "-C", "3");
      for (const qos of ["0", "1", "2"])
        await publish(version, "-q", qos, "-t", `${version}/qos/${qos}`, "-m", "text");
      assert.equal((await reader.end()).code, 0);
      const topic = `${version}/qos`;
      assert.deepEqual(received(reader), [
        `${topic}/0 0 0 text`,
        `${topic}/1 1 0 text`,
        `${topic}/2 2 0 text`,
      ]);
    });

    test(`${version}: a retained message is kept`, async () => {
      const topic = `${version}/retained`;
      await publish(version, "-r", "-q", "1", "-t", topic, "-m", "kept");
      const reader = await subscribe(version, "-q", "1", "-t", topic, "-C", "1");
      await reader.end();
      assert.deepEqual(received(reader), [`${topic} 1 1 kept`]);
    });

    test(`${version}: the will of a lost client is published`, async () => {
      const topic = `${version}/will`;
      const reader = await subscribe(version, "-q", "1", "-t", topic, "-C", "1");
      const will = ["--will-topic", topic, "--will-payload", "gone", "--will-qos", "1"];
      const lost = await subscribe(version, "-t", "nothing", ...will);
      await lost.kill();
      await reader.end();
      assert.deepEqual(received(reader), [`${topic} 1 0 gone`]);
    });

    test(`${version}: a lasting session keeps what it missed`, async () => {
      const topic = `${version}/missed`;
      const expiry = version === "mqttv5" ? ["-x", "3600"] : [];
      const session = ["-c", "-i", `lasting-${version}`, ...expiry, "-q", "2", "-t", topic];
      await (await subscribe(version, ...session, "-E")).end();
      for (const qos of ["1", "2"]) await publish(version, "-q", qos, "-t", topic, "-m", `missed ${qos}`);
      const reader = await subscribe(version, ...session, "-C", "2");
      await reader.end();
      assert.deepEqual(received(reader), [`${topic} 1 0 missed 1`, `${topic} 2 0 missed 2`]);
    });
  }

  test("mqttv5: properties travel with the message", async () => {
    const format = "got %t %C %R %D %P %E %p";
    const reader = await subscribe("mqttv5", "-q", "1", "-t", "properties", "-C", "1", "-F", format);
    const property = (name: string, ...value: string[]): string[] => ["-D", "publish", name, ...value];
    await publish(
      "mqttv5",
      ...["-q", "1", "-t", "properties", "-m", "text"],
      ...property("content-type", "text/plain"),
      ...property("response-topic", "answers"),
      ...property("correlation-data", "abc"),
      ...property("user-property", "colour", "red"),
      ...property("message-expiry-interval", "60"),
    );
    await reader.end();
    assert.match(reader.output, /^got properties text\/plain answers abc colour:red (60|59) text$/m);
  });
});

/** The messages among what mosquitto_sub printed. */
function received(reader: Program): string[] {
  return [...reader.output.matchAll(/^got (.*)$/gm)].map(([, message = ""]) => message);
}
