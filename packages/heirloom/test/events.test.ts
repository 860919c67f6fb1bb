// Listeners with types.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { addListener, emitEvent, removeListener, type Listeners } from "../dist/events.js";

interface Events {
  opened: { readonly name: string };
  closed: number;
}

describe("events", () => {
  it("calls all listeners of the event, in order, and those of no other", () => {
    const listeners: Listeners<Events> = {};
    const heard: string[] = [];
    addListener(listeners, "opened", ({ name }) => heard.push(`one ${name}`));
    addListener(listeners, "opened", ({ name }) => heard.push(`two ${name}`));
    addListener(listeners, "closed", () => heard.push("closed"));
    emitEvent<Events, "opened">(listeners, "opened", { name: "door" });
    assert.deepEqual(heard, ["one door", "two door"]);
  });

  it("does not call a listener that was removed, also when it removes itself", () => {
    const listeners: Listeners<Events> = {};
    let calls = 0;
    const listener = (): void => {
      calls++;
      removeListener<Events, "closed">(listeners, "closed", listener);
    };
    addListener<Events, "closed">(listeners, "closed", listener);
    emitEvent<Events, "closed">(listeners, "closed", 1);
    emitEvent<Events, "closed">(listeners, "closed", 2);
    assert.equal(calls, 1);
  });

  it("calls the other listeners when one throws; the error becomes an uncaught exception", async (context) => {
    const listeners: Listeners<Events> = {};
    let heard = 0;
    const failure = new Error("from a listener");
    addListener<Events, "closed">(listeners, "closed", () => {
      throw failure;
    });
    addListener<Events, "closed">(listeners, "closed", (code) => (heard = code));
    // The runner listens to uncaught exceptions too; for this one it is asked not to.
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    context.after(() => others.forEach((other) => process.on("uncaughtException", other)));
    const uncaught = once(process, "uncaughtException");
    emitEvent<Events, "closed">(listeners, "closed", 7);
    assert.equal(heard, 7);
    assert.equal((await uncaught)[0], failure);
  });
});
