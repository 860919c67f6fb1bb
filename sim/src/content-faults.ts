// Planted faults in what a delivery carries, in what subscriptions ask for, and in what a restart brings back. See `faults.ts`.

import { Message, StoreBatch } from "@heirloom/core";
import { Block } from "../../packages/core/dist/logs/block.js";
import { PublishEncoder } from "../../packages/core/dist/publish-encoder.js";
import { Sender } from "../../packages/core/dist/qos/sender.js";
import { RetainedMessages } from "../../packages/core/dist/retained.js";
import { LastingSession } from "../../packages/core/dist/sessions/lasting-session.js";
import { Recipient } from "../../packages/core/dist/sessions/recipient.js";
import { Session } from "../../packages/core/dist/sessions/session.js";
import { SessionTable } from "../../packages/core/dist/sessions/session-table.js";
import { SharedGroup } from "../../packages/core/dist/sessions/shared-group.js";
import { SubscriptionTable } from "../../packages/core/dist/sessions/subscription-table.js";
import { Connection } from "../../packages/core/dist/connection.js";
import { type Fault, nothing, replace, startClean } from "./fault.ts";

const KEEP_ALIVE_TIMEOUT = 0x8d;

/** The message with other bytes. */
function changed(message: Message, fields: { forwarded?: Uint8Array; payload?: Uint8Array }): Message {
  const { topicName, qos, retain, expiresAtMs, publisherId } = message;
  const { forwarded = message.forwarded, payload = message.payload } = fields;
  return Message.of({ topicName, qos, retain, expiresAtMs, publisherId, forwarded, payload });
}

/** Entries of logs are read as `change` says. */
function changeEntries(change: (message: Message) => Message): () => void {
  return replace(
    Block.prototype,
    "entry",
    (original) =>
      function (this: Block, index) {
        const entry = original.call(this, index);
        return { ...entry, message: change(entry.message) };
      },
  );
}

export const CONTENT_FAULTS: readonly Fault[] = [
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
    name: "what is left of the Message Expiry Interval is said a minute too long",
    mostSeeds: 60,
    plant: () => {
      const takeAway = [
        replace(
          PublishEncoder.prototype,
          "write",
          (original) =>
            function (this: PublishEncoder, ...all) {
              all[10] -= 60_000;
              original.apply(this, all);
            },
        ),
        replace(
          PublishEncoder.prototype,
          "writeShared",
          (original) =>
            function (this: PublishEncoder, ...all) {
              all[6] -= 60_000;
              original.apply(this, all);
            },
        ),
      ];
      return () => takeAway.forEach((each) => each());
    },
  },
  {
    name: "Subscription Identifiers are left out",
    mostSeeds: 20,
    plant: () => {
      const original = Object.getOwnPropertyDescriptor(Recipient.prototype, "identifiers");
      Object.defineProperty(Recipient.prototype, "identifiers", { configurable: true, get: () => [] });
      return () => {
        if (original !== undefined) Object.defineProperty(Recipient.prototype, "identifiers", original);
      };
    },
  },
  {
    name: "Retain As Published is ignored",
    mostSeeds: 60,
    plant: () =>
      replace(
        SubscriptionTable.prototype,
        "subscribe",
        (original) =>
          function (this: SubscriptionTable, session, subscription) {
            return original.call(this, session, { ...subscription, retainAsPublished: false });
          },
      ),
  },
  {
    name: "Retain Handling 1 is taken for 0",
    mostSeeds: 100,
    plant: () =>
      replace(
        SubscriptionTable.prototype,
        "subscribe",
        (original) =>
          function (this: SubscriptionTable, ...all) {
            return { ...original.apply(this, all), existed: false };
          },
      ),
  },
  {
    name: "only the first subscription of a session gets what is retained",
    mostSeeds: 60,
    plant: () =>
      replace(
        Session.prototype,
        "replay",
        (original) =>
          function (this: Session, replay) {
            if (this.subscriptions.size === 1) original.call(this, replay);
          },
      ),
  },
  {
    name: "keep alive is not watched",
    mostSeeds: 300,
    plant: () =>
      replace(
        Connection.prototype,
        "disconnect",
        (original) =>
          function (this: Connection, reasonCode, ...rest) {
            if (reasonCode !== KEEP_ALIVE_TIMEOUT) original.call(this, reasonCode, ...rest);
          },
      ),
  },
  {
    name: "every fifth QoS 0 delivery is lost and not counted",
    mostSeeds: 20,
    plant: () => {
      let count = 0;
      return replace(
        Session.prototype,
        "offerQoS0",
        (original) =>
          function (this: Session, ...all) {
            if (++count % 5 !== 0) original.apply(this, all);
          },
      );
    },
  },
  {
    name: "the end of a subscription is not stored",
    mostSeeds: 200,
    plant: () =>
      replace(
        LastingSession.prototype,
        "endStretch",
        (original) =>
          function (this: LastingSession, ...all) {
            const { state } = this;
            const { stretchChanged } = state;
            state.stretchChanged = nothing;
            original.apply(this, all);
            state.stretchChanged = stretchChanged;
          },
      ),
  },
  {
    name: "the deletion of a retained message is not stored",
    mostSeeds: 100,
    plant: () =>
      replace(
        RetainedMessages.prototype,
        "save",
        (original) =>
          function (this: RetainedMessages, batch) {
            const whole = new StoreBatch();
            original.call(this, whole);
            for (const { table, key, value } of whole.records)
              if (value !== undefined) batch.put(table, key, value);
          },
      ),
  },
  {
    name: "what a subscription had queued is lost when it ends",
    mostSeeds: 150,
    plant: () =>
      replace(
        LastingSession.prototype,
        "endStretch",
        (original) =>
          function (this: LastingSession, stretch, sequence) {
            if (this.outlet === undefined || this.sender.room <= 0) stretch.cursor?.moveToEnd();
            original.call(this, stretch, sequence);
          },
      ),
  },
  {
    name: "a will is not retained",
    mostSeeds: 100,
    plant: () =>
      replace(
        RetainedMessages.prototype,
        "set",
        (original) =>
          function (this: RetainedMessages, message, account) {
            if (!message.topicName.startsWith("will/")) original.call(this, message, account);
          },
      ),
  },
  {
    name: "logs do not say who published",
    mostSeeds: 100,
    plant: () =>
      replace(
        Block.prototype,
        "append",
        (original) =>
          function (this: Block, message, sequence, identifiers) {
            return original.call(this, message, sequence, identifiers, false);
          },
      ),
  },
  {
    name: "PUBREC is forgotten in a restart",
    mostSeeds: 60,
    plant: () =>
      replace(
        Sender.prototype,
        "restore",
        (original) =>
          function (this: Sender<unknown>, packetId, qos, ref) {
            original.call(this, packetId, qos, ref, false);
          },
      ),
  },
  {
    name: "queues are cut although no limit was reached",
    mostSeeds: 20,
    plant: () =>
      replace(
        LastingSession.prototype,
        "enforceLimit",
        (original) =>
          function (this: LastingSession, limits) {
            return original.call(this, { ...limits, queueMessages: Math.min(limits.queueMessages, 10) });
          },
      ),
  },
  {
    name: "a will that waits is forgotten when Clean Start 1 ends its session",
    mostSeeds: 100,
    emphasise: startClean,
    plant: () =>
      replace(
        SessionTable.prototype,
        "end",
        (original) =>
          function (this: SessionTable, session, reason) {
            if (reason === "clean-start") session.will = undefined;
            original.call(this, session, reason);
          },
      ),
  },
  {
    name: "a shared group forgets in a restart what it gave",
    mostSeeds: 60,
    plant: () => replace(SharedGroup.prototype, "restoreGiven", () => nothing),
  },
];
