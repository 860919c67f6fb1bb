// Planted faults in what the disk has, when, and how it is read again: batches, logs and their blocks, broker time.

import { Message, StoreBatch } from "@heirloom/core";
import { Connection } from "../../../packages/core/dist/connection.js";
import { Block } from "../../../packages/core/dist/logs/block.js";
import { LogTable } from "../../../packages/core/dist/logs/log-table.js";
import { LastingSession } from "../../../packages/core/dist/sessions/lasting-session.js";
import { Turn } from "../../../packages/core/dist/turn.js";
import { Disk } from "../disk.ts";
import { type Fault, nothing, replace } from "../fault.ts";

/** The message with other bytes. */
function changed(message: Message, fields: { forwarded?: Uint8Array; payload?: Uint8Array }): Message {
  const { topicName, qos, retain, expiresAtMs, publisherId } = message;
  const { forwarded = message.forwarded, payload = message.payload } = fields;
  return Message.of({ topicName, qos, retain, expiresAtMs, publisherId, forwarded, payload });
}

/** Entries of logs are read as `change` says. */
function changeEntries(change: (message: Message) => Message): () => void {
  return replace(Block.prototype, "entry", (original, index) => {
    const entry = original(index);
    return { ...entry, message: change(entry.message) };
  });
}

export const STORE_FAULTS: readonly Fault[] = [
  {
    name: "acknowledged before it is on disk",
    mostSeeds: 40,
    plant: () => replace(Connection.prototype, "waitFor", nothing),
  },
  {
    name: "publish() of the application resolves before the message is on disk",
    mostSeeds: 100,
    plant: () => replace(Turn.prototype, "whenDurable", () => Promise.resolve()),
  },
  {
    name: "the disk tears the batch under way at a crash: its records are there, its blocks are not",
    mostSeeds: 100,
    plant: () =>
      replace(Disk.prototype, "crash", function (original) {
        const { apply } = this;
        this.apply = (batch) => apply.call(this, Object.assign(new StoreBatch(), { records: batch.records }));
        original();
        this.apply = apply;
      }),
  },
  {
    name: "broker time goes back with the wall clock at a restart",
    mostSeeds: 400,
    plant: () => replace(Turn.prototype, "restoreTime", nothing),
  },
  {
    name: "log blocks stay in memory",
    mostSeeds: 20,
    plant: () => replace(LogTable.prototype, "committed", nothing),
  },
  {
    name: "logs are trimmed although entries are in flight",
    mostSeeds: 60,
    plant: () => replace(LastingSession.prototype, "lowestInFlight", () => Infinity),
  },
  {
    name: "logs do not say who published",
    mostSeeds: 100,
    plant: () =>
      replace(Block.prototype, "append", (original, message, sequence, identifiers) =>
        original(message, sequence, identifiers, false),
      ),
  },
  {
    name: "a message that is read from its log has lost its properties",
    mostSeeds: 20,
    plant: () => changeEntries((message) => changed(message, { forwarded: new Uint8Array(0) })),
  },
  {
    name: "a message that is read from its log has lost its last byte",
    mostSeeds: 20,
    plant: () =>
      changeEntries((message) =>
        changed(message, { payload: message.payload.subarray(0, Math.max(1, message.payloadLength - 1)) }),
      ),
  },
  {
    name: "entries that a damaged block had are passed over without a word",
    mostSeeds: 200,
    plant: () => replace(LastingSession.prototype, "missing", nothing),
  },
];
