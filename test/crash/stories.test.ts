// kill -9 in the middle of what a user does, with the server that is built here.

import { test, type TestContext } from "node:test";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import {
  acknowledgedMessagesStay,
  delayedWillsStay,
  receivingQoS2Resumes,
  sendingQoS2Resumes,
  type Start,
} from "./src/stories.ts";

test("messages that were acknowledged are there once and in order after kill -9", async (t) => {
  await acknowledgedMessagesStay(await startFor(t));
});

test("a delayed will is published once although the broker is killed - 5.0 [MQTT-3.1.2-8] - attack WILL-06", async (t) => {
  await delayedWillsStay(await startFor(t));
});

test("a QoS 2 message that arrives is taken once, wherever the broker is killed - 5.0 [MQTT-4.3.3-10] - attack QOS-02", async (t) => {
  await receivingQoS2Resumes(await startFor(t));
});

test("a QoS 2 delivery goes on where it was, wherever the broker is killed - 5.0 [MQTT-4.4.0-1] - attack QOS-03", async (t) => {
  await sendingQoS2Resumes(await startFor(t));
});

async function startFor(t: TestContext): Promise<Start> {
  const data = await directoryFor(t, "story");
  let latest: ServerProcess | undefined;
  t.after(() => latest?.kill());
  return async () => (latest = await ServerProcess.start({ data }));
}
