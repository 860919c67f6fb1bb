// Planted faults in subscriptions, shared ones too: what is stored of them, what their options mean, what becomes of a queue when
// one ends.

import type { QoS } from "@heirloom/codec";
import { LastingSession } from "../../../packages/core/dist/sessions/lasting-session.js";
import { Recipient } from "../../../packages/core/dist/sessions/recipient.js";
import { SessionState } from "../../../packages/core/dist/sessions/session-state.js";
import { SharedGroup } from "../../../packages/core/dist/sessions/shared-group.js";
import { SubscriptionTable } from "../../../packages/core/dist/sessions/subscription-table.js";
import { type Fault, nothing, replace } from "../fault.ts";

export const SUBSCRIPTION_FAULTS: readonly Fault[] = [
  {
    name: "subscriptions are not stored",
    mostSeeds: 30,
    plant: () => replace(SessionState.prototype, "stretchChanged", nothing),
  },
  {
    name: "the end of a subscription is not stored",
    mostSeeds: 200,
    plant: () =>
      replace(LastingSession.prototype, "endStretch", function (original, ...all) {
        const { state } = this;
        const { stretchChanged } = state;
        state.stretchChanged = nothing;
        original(...all);
        state.stretchChanged = stretchChanged;
      }),
  },
  {
    name: "what a subscription had queued is lost when it ends",
    mostSeeds: 150,
    plant: () =>
      replace(LastingSession.prototype, "endStretch", function (original, stretch, sequence) {
        if (this.outlet === undefined || this.sender.room <= 0) stretch.cursor?.moveToEnd();
        original(stretch, sequence);
      }),
  },
  {
    name: "QoS is upgraded to that of the publisher",
    mostSeeds: 10,
    plant: () =>
      replace(Recipient.prototype, "add", function (original, stretch) {
        original(stretch);
        const highest: QoS = 2;
        if (this.qos > 0) this.qos = highest;
      }),
  },
  {
    name: "No Local is ignored",
    mostSeeds: 60,
    plant: () =>
      replace(SubscriptionTable.prototype, "subscribe", (original, session, subscription) =>
        original(session, { ...subscription, noLocal: false }),
      ),
  },
  {
    name: "Retain As Published is ignored",
    mostSeeds: 60,
    plant: () =>
      replace(SubscriptionTable.prototype, "subscribe", (original, session, subscription) =>
        original(session, { ...subscription, retainAsPublished: false }),
      ),
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
    name: "what a member of a shared subscription had goes to nobody when its session ends",
    mostSeeds: 600,
    plant: () => replace(SharedGroup.prototype, "ended", (original, place) => original(place, 2)),
  },
  {
    name: "a shared group forgets in a restart what it gave",
    mostSeeds: 60,
    plant: () => replace(SharedGroup.prototype, "restoreGiven", nothing),
  },
];
