// Planted faults in retained messages: which are kept and stored, and who gets them for a SUBSCRIBE.

import { StoreBatch } from "@heirloom/core";
import { RetainedMessages } from "../../../packages/core/dist/retained.js";
import { Session } from "../../../packages/core/dist/sessions/session.js";
import { SubscriptionTable } from "../../../packages/core/dist/sessions/subscription-table.js";
import { type Fault, nothing, replace } from "../fault.ts";

export const RETAINED_FAULTS: readonly Fault[] = [
  {
    name: "an empty payload does not delete what is retained",
    mostSeeds: 20,
    plant: () =>
      replace(RetainedMessages.prototype, "set", (original, message, account) => {
        if (message.payloadLength > 0) original(message, account);
      }),
  },
  {
    name: "a will is not retained",
    mostSeeds: 100,
    plant: () =>
      replace(RetainedMessages.prototype, "set", (original, message, account) => {
        if (!message.topicName.startsWith("will/")) original(message, account);
      }),
  },
  {
    name: "retained messages are not stored",
    mostSeeds: 60,
    plant: () => replace(RetainedMessages.prototype, "save", nothing),
  },
  {
    name: "the deletion of a retained message is not stored",
    mostSeeds: 100,
    plant: () =>
      replace(RetainedMessages.prototype, "save", (original, batch) => {
        const whole = new StoreBatch();
        original(whole);
        for (const { table, key, value } of whole.records)
          if (value !== undefined) batch.put(table, key, value);
      }),
  },
  {
    name: "only the first subscription of a session gets what is retained",
    mostSeeds: 60,
    plant: () =>
      replace(Session.prototype, "replay", function (original, replay) {
        if (this.subscriptions.size === 1) original(replay);
      }),
  },
  {
    name: "Retain Handling 1 is taken for 0",
    mostSeeds: 100,
    plant: () =>
      replace(SubscriptionTable.prototype, "subscribe", (original, ...all) => ({
        ...original(...all),
        existed: false,
      })),
  },
];
