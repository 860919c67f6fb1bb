// Planted faults in whether a message is delivered, and in how that is counted: expiry, size, hooks, QoS 0, the counters.

import { DeliveryCounts } from "@heirloom/core";
import { Connection } from "../../../packages/core/dist/connection.js";
import { FanOut } from "../../../packages/core/dist/fan-out.js";
import { PublishEncoder } from "../../../packages/core/dist/publish-encoder.js";
import { LastingSession } from "../../../packages/core/dist/sessions/lasting-session.js";
import { Session } from "../../../packages/core/dist/sessions/session.js";
import { type Fault, replace } from "../fault.ts";
import { Rules } from "../rules.ts";

export const DELIVERY_FAULTS: readonly Fault[] = [
  {
    name: "messages do not expire",
    mostSeeds: 60,
    plant: () =>
      replace(FanOut.prototype, "publish", (original, message, ...rest) => {
        Object.defineProperty(message, "expiresAtMs", { value: Infinity });
        original(message, ...rest);
      }),
  },
  {
    name: "what is left of the Message Expiry Interval is said a minute too long",
    mostSeeds: 60,
    plant: () => {
      const takeAway = [
        replace(PublishEncoder.prototype, "write", (original, ...all) => {
          all[10] -= 60_000;
          original(...all);
        }),
        replace(PublishEncoder.prototype, "writeShared", (original, ...all) => {
          all[6] -= 60_000;
          original(...all);
        }),
      ];
      return () => takeAway.forEach((each) => each());
    },
  },
  {
    name: "Maximum Packet Size is ignored",
    mostSeeds: 100,
    plant: () => replace(Connection.prototype, "omission", () => undefined),
  },
  {
    name: "the answer of a publish hook that took its time is ignored",
    mostSeeds: 100,
    plant: () =>
      replace(Rules.prototype, "hooks", (original, ...all) => {
        const { publish, ...others } = original(...all);
        if (publish === undefined) return others;
        return {
          ...others,
          publish: (message, client) => {
            const answer = publish(message, client);
            return answer instanceof Promise ? answer.then(() => undefined) : answer;
          },
        };
      }),
  },
  {
    name: "every fifth QoS 0 delivery is lost and not counted",
    mostSeeds: 20,
    plant: () => {
      let count = 0;
      return replace(Session.prototype, "offerQoS0", (original, ...all) => {
        if (++count % 5 !== 0) original(...all);
      });
    },
  },
  {
    name: "queues are cut although no limit was reached",
    mostSeeds: 20,
    plant: () =>
      replace(LastingSession.prototype, "enforceLimit", (original, limits) =>
        original({ ...limits, queueMessages: Math.min(limits.queueMessages, 10) }),
      ),
  },
  {
    name: "a message that expired is counted for the broker and not for its session",
    mostSeeds: 60,
    plant: () =>
      replace(DeliveryCounts.prototype, "undelivered", function (original, counters, why, count) {
        original(counters, why, count);
        if (why === "expired") this.expired -= count ?? 1;
      }),
  },
  {
    name: "a repetition that the client acknowledges is counted as delivered twice",
    mostSeeds: 20,
    plant: () =>
      replace(Session.prototype, "puback", function (original, packetId, isError) {
        const before = this.counts.delivered;
        const isKnown = original(packetId, isError);
        if (this.counts.delivered === before) return isKnown;
        this.counts.delivered++;
        this.counts.taken++;
        this.context.counters.delivered++;
        return isKnown;
      }),
  },
];
