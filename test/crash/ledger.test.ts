// The judge of the crash runs is judged: it sees each kind of fault, and no fault where there is none.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { QoS } from "@heirloom/codec";
import { Ledger, type PublisherAccount, type ReaderAccount } from "./src/ledger.ts";

interface Setup {
  readonly ledger: Ledger;
  readonly publisher: PublisherAccount;
  readonly reader: ReaderAccount;
}

/** A publisher that has sent three messages, all acknowledged. */
function setUp(
  options: { readonly qos?: QoS; readonly granted?: QoS; readonly isGroup?: boolean } = {},
): Setup {
  const { qos = 2, granted = 2, isGroup = false } = options;
  const ledger = new Ledger();
  const publisher = ledger.addPublisher("p", qos);
  const reader = ledger.addReader("r", granted, isGroup);
  publisher.sent = 3;
  for (const number of [1, 2, 3]) publisher.acknowledged.add(number);
  return { ledger, publisher, reader };
}

test("everything once and in order is no violation", () => {
  const { ledger, reader } = setUp();
  for (const number of [1, 2, 3]) ledger.arrived(reader, `p ${number}`, false);
  ledger.close();
  assert.deepEqual(ledger.violations, []);
  assert.equal(ledger.missing(reader), 0);
});

test("an acknowledged message that does not arrive is lost", () => {
  const { ledger, reader } = setUp();
  for (const number of [1, 3]) ledger.arrived(reader, `p ${number}`, false);
  assert.equal(ledger.missing(reader), 1);
  ledger.close();
  assert.deepEqual(ledger.violations, ["r lost 1 acknowledged messages of p: 2"]);
});

test("a message that was not acknowledged may be lost", () => {
  const { ledger, publisher, reader } = setUp();
  publisher.acknowledged.delete(3);
  for (const number of [1, 2]) ledger.arrived(reader, `p ${number}`, false);
  ledger.close();
  assert.deepEqual(ledger.violations, []);
});

test("a message of QoS 2 that arrives twice is a violation, also with DUP", () => {
  const { ledger, reader } = setUp();
  for (const dup of [false, true]) ledger.arrived(reader, "p 1", dup);
  assert.deepEqual(ledger.violations, ["r got p 1 again at QoS 2"]);
});

test("at QoS 1 a repetition needs DUP, unless the publisher repeated the message", () => {
  const { ledger, publisher, reader } = setUp({ qos: 1 });
  for (const dup of [false, true]) ledger.arrived(reader, "p 1", dup);
  assert.deepEqual(ledger.violations, []);
  ledger.arrived(reader, "p 1", false);
  assert.deepEqual(ledger.violations, ["r got p 1 again without DUP"]);
  publisher.repeated.add(2);
  for (const dup of [false, false]) ledger.arrived(reader, "p 2", dup);
  assert.equal(ledger.violations.length, 1);
});

test("a message that overtakes another is a violation, a repeated older one is none", () => {
  const { ledger, reader } = setUp({ qos: 1 });
  for (const number of [1, 3]) ledger.arrived(reader, `p ${number}`, false);
  ledger.arrived(reader, "p 1", true);
  assert.deepEqual(ledger.violations, []);
  ledger.arrived(reader, "p 2", false);
  assert.deepEqual(ledger.violations, ["r got p 2 behind 3: order"]);
});

test("what nobody sent is a violation", () => {
  const { ledger, reader } = setUp();
  for (const payload of ["p 4", "q 1", "p x"]) ledger.arrived(reader, payload, false);
  assert.equal(ledger.violations.length, 3);
});

test("a group may get messages in any order and again, but all of them", () => {
  const { ledger, reader } = setUp({ granted: 1, isGroup: true });
  for (const number of [3, 1, 1]) ledger.arrived(reader, `p ${number}`, false);
  assert.deepEqual(ledger.violations, []);
  ledger.close();
  assert.deepEqual(ledger.violations, ["r lost 1 acknowledged messages of p: 2"]);
});

test("a retained message that is older than the acknowledged one is a violation", () => {
  const { ledger, publisher } = setUp();
  publisher.retained = 2;
  assert.equal(ledger.retainedCount, 1);
  for (const number of [2, 3]) ledger.retained(`p ${number}`);
  assert.deepEqual(ledger.violations, []);
  ledger.retained("p 1");
  assert.equal(ledger.violations.length, 1);
});
