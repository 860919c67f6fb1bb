// Outgoing QoS 1 and 2: identifiers, the Receive Maximum, and what an acknowledgement ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Receiver, Sender } from "@heirloom/core";

function connected(receiveMaximum: number): Sender<string> {
  const sender = new Sender<string>();
  sender.connect(receiveMaximum);
  return sender;
}

test("gives identifiers 1 to 65,535 in turn, and skips those in use - 5.0 [MQTT-2.2.1-4] - attack QOS-05", () => {
  const sender = connected(65_535);
  assert.equal(sender.start(2, "held"), 1);
  for (let expected = 2; expected <= 65_535; expected++) {
    assert.equal(sender.start(1, "x"), expected);
    assert.equal(sender.puback(expected)?.ref, "x");
  }
  assert.equal(sender.start(1, "x"), 2);
});

test("has no room when every identifier is in use - attack QOS-05", () => {
  const sender = connected(65_535);
  for (let count = 0; count < 65_535; count++) sender.start(1, "x");
  assert.equal(sender.room, 0);
  sender.puback(4711);
  assert.equal(sender.room, 1);
  assert.equal(sender.start(1, "x"), 4711);
});

test("a QoS 2 delivery keeps its place until PUBCOMP, or PUBREC with an error - 5.0 section 4.9", () => {
  const sender = connected(2);
  sender.start(2, "a");
  sender.start(2, "b");
  assert.equal(sender.room, 0);
  const release = sender.pubrec(1, false);
  assert.ok(release !== "unknown" && release.outcome === "release");
  const { packetId, qos, ref, isReleased, isCounted } = release.delivery;
  assert.deepEqual([packetId, qos, ref, isReleased, isCounted], [1, 2, "a", true, true]);
  assert.equal(sender.room, 0);
  assert.equal(sender.pubcomp(1)?.ref, "a");
  assert.equal(sender.room, 1);
  const result = sender.pubrec(2, true);
  assert.ok(result !== "unknown" && result.outcome === "ended");
  assert.equal(sender.room, 2);
});

test("acknowledgements that fit nothing end nothing and free no place - 5.0 [MQTT-4.3.3-3], section 4.9 - attack STATE-08", () => {
  const sender = connected(2);
  sender.start(2, "two");
  sender.start(1, "one");
  assert.equal(sender.puback(1), undefined);
  assert.equal(sender.pubcomp(1), undefined);
  assert.equal(sender.pubrec(2, false), "unknown");
  assert.equal(sender.pubcomp(2), undefined);
  assert.equal(sender.puback(99), undefined);
  assert.equal(sender.room, 0);
  // An error that comes after PUBREC with success is too late: PUBREL is owed.
  sender.pubrec(1, false);
  const late = sender.pubrec(1, true);
  assert.ok(late !== "unknown" && late.outcome === "release");
});

test("resends in the order of first sending, PUBREL without a place, and what ended meanwhile not at all - 5.0 [MQTT-4.4.0-1]", () => {
  const sender = connected(9);
  for (const ref of ["a", "b", "c", "d"]) sender.start(2, ref);
  sender.pubrec(2, false);
  sender.disconnect();
  assert.ok(sender.room <= 0);
  sender.connect(3);
  assert.equal(sender.isResending, true);
  assert.equal(sender.nextResend()?.ref, "a");
  assert.equal(sender.room, 2);
  assert.equal(sender.nextResend()?.isReleased, true);
  assert.equal(sender.room, 2);
  const result = sender.pubrec(3, true);
  assert.ok(result !== "unknown");
  assert.equal(sender.nextResend()?.ref, "d");
  assert.equal(sender.nextResend(), undefined);
  assert.equal(sender.isResending, false);
  assert.equal(sender.start(1, "new"), 5);
});

test("takes up what was in flight before a restart, with its identifiers", () => {
  const sender = new Sender<string>();
  sender.restoreLastPacketId(9);
  sender.restore(8, 1, "a", false);
  sender.restore(9, 2, "b", true);
  sender.connect(10);
  assert.deepEqual(
    [...sender.inFlight()].map(({ packetId, isReleased }) => [packetId, isReleased]),
    [
      [8, false],
      [9, true],
    ],
  );
  while (sender.nextResend() !== undefined);
  assert.equal(sender.start(1, "c"), 10);
});

test("Receiver knows an identifier from PUBLISH to PUBREL, any number of times - 5.0 [MQTT-4.3.3-10], [MQTT-4.3.3-12]", () => {
  const receiver = new Receiver();
  assert.equal(receiver.received(7), "new");
  assert.equal(receiver.received(7), "known");
  assert.equal(receiver.received(7), "known");
  assert.equal(receiver.openCount, 1);
  assert.equal(receiver.released(7), true);
  assert.equal(receiver.released(7), false);
  assert.equal(receiver.received(7), "new");
});

test("Receiver counts only this connection's against the Receive Maximum - 5.0 section 4.9", () => {
  const receiver = new Receiver();
  receiver.restore(1);
  receiver.received(2);
  receiver.connect();
  assert.equal(receiver.openCount, 0);
  receiver.received(3);
  assert.equal(receiver.openCount, 1);
  receiver.released(3);
  // A repeated PUBREL of the connection before: its PUBCOMP may count as one more place for the sender.
  receiver.released(1);
  assert.equal(receiver.openCount, -1);
  assert.deepEqual([...receiver.packetIds], [2]);
});
