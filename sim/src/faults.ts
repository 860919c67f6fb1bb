// Planted faults: each takes the place of a method of the production core, breaks one promise, and has to be found by the
// model. They judge the judge. Nothing of this is in the production packages.

import type { QoS } from "@heirloom/codec";
import { DeliveryCounts, StoreBatch } from "@heirloom/core";
import { LogTable } from "../../packages/core/dist/logs/log-table.js";
import { Connection } from "../../packages/core/dist/connection.js";
import { FanOut } from "../../packages/core/dist/fan-out.js";
import { Receiver } from "../../packages/core/dist/qos/receiver.js";
import { Sender } from "../../packages/core/dist/qos/sender.js";
import { RetainedMessages } from "../../packages/core/dist/retained.js";
import { LastingSession } from "../../packages/core/dist/sessions/lasting-session.js";
import { Recipient } from "../../packages/core/dist/sessions/recipient.js";
import { Session } from "../../packages/core/dist/sessions/session.js";
import { SessionState } from "../../packages/core/dist/sessions/session-state.js";
import { SessionTable } from "../../packages/core/dist/sessions/session-table.js";
import { SharedGroup } from "../../packages/core/dist/sessions/shared-group.js";
import { SubscriptionTable } from "../../packages/core/dist/sessions/subscription-table.js";
import { Turn } from "../../packages/core/dist/turn.js";
import { CONTENT_FAULTS } from "./content-faults.ts";
import { Disk } from "./disk.ts";
import { type Fault, nothing, replace } from "./fault.ts";
import { Rules } from "./rules.ts";

const SESSION_TAKEN_OVER = 0x8e;
const NEVER = 0xffff_ffff;

export const FAULTS: readonly Fault[] = [
  ...CONTENT_FAULTS,
  {
    name: "acknowledged before it is on disk",
    mostSeeds: 40,
    plant: () => replace(Connection.prototype, "waitFor", () => nothing),
  },
  {
    name: "QoS 2 packet identifiers received are not stored",
    mostSeeds: 60,
    plant: () => replace(SessionState.prototype, "receivedChanged", () => nothing),
  },
  {
    name: "QoS 2 packet identifiers received are lost at a restart",
    mostSeeds: 60,
    plant: () => replace(Receiver.prototype, "restore", () => nothing),
  },
  {
    name: "the release of a QoS 2 packet identifier is not stored",
    mostSeeds: 60,
    plant: () =>
      replace(
        Receiver.prototype,
        "released",
        (original) =>
          function (this: Receiver, packetId) {
            original.call(this, packetId);
            return false;
          },
      ),
  },
  {
    name: "what is in flight is not stored",
    mostSeeds: 30,
    plant: () => replace(SessionState.prototype, "deliveryChanged", () => nothing),
  },
  {
    name: "subscriptions are not stored",
    mostSeeds: 30,
    plant: () => replace(SessionState.prototype, "stretchChanged", () => nothing),
  },
  {
    name: "DUP is forgotten",
    mostSeeds: 10,
    plant: () =>
      replace(
        Connection.prototype,
        "sendPublish",
        (original) =>
          function (this: Connection, message, qos, packetId, _dup, ...rest) {
            original.call(this, message, qos, packetId, false, ...rest);
          },
      ),
  },
  {
    name: "DUP on first deliveries",
    mostSeeds: 10,
    plant: () =>
      replace(
        Connection.prototype,
        "sendPublish",
        (original) =>
          function (this: Connection, message, qos, packetId, _dup, ...rest) {
            original.call(this, message, qos, packetId, qos > 0, ...rest);
          },
      ),
  },
  {
    name: "QoS is upgraded to that of the publisher",
    mostSeeds: 10,
    plant: () =>
      replace(
        Recipient.prototype,
        "add",
        (original) =>
          function (this: Recipient, stretch) {
            original.call(this, stretch);
            const highest: QoS = 2;
            if (this.qos > 0) this.qos = highest;
          },
      ),
  },
  {
    name: "cursors move when the client goes",
    mostSeeds: 20,
    plant: () =>
      replace(
        LastingSession.prototype,
        "disconnect",
        (original) =>
          function (this: LastingSession) {
            original.call(this);
            for (const { cursor } of this.stretches.values()) cursor?.moveToEnd();
          },
      ),
  },
  {
    name: "logs are trimmed although entries are in flight",
    mostSeeds: 60,
    plant: () => replace(LastingSession.prototype, "lowestInFlight", () => () => Infinity),
  },
  {
    name: "a will is kept on disk after it was published",
    mostSeeds: 300,
    plant: () => {
      const wills = new WeakMap<LastingSession, ReturnType<LastingSession["record"]>>();
      return replace(
        LastingSession.prototype,
        "record",
        (original) =>
          function (this: LastingSession) {
            const record = original.call(this);
            if (record.will !== undefined) wills.set(this, record);
            return { ...record, will: wills.get(this)?.will };
          },
      );
    },
  },
  {
    name: "wills do not wait for their delay",
    mostSeeds: 30,
    plant: () =>
      replace(
        SessionTable.prototype,
        "disconnected",
        (original) =>
          function (this: SessionTable, session, ...rest) {
            if (session.will !== undefined) session.will = { ...session.will, delayInterval: 0 };
            original.call(this, session, ...rest);
          },
      ),
  },
  {
    name: "wills are published after a normal DISCONNECT",
    mostSeeds: 150,
    plant: () =>
      replace(
        SessionTable.prototype,
        "disconnected",
        (original) =>
          function (this: SessionTable, session, _end, ...rest) {
            original.call(this, session, "abnormal", ...rest);
          },
      ),
  },
  {
    name: "sessions never expire after a restart",
    mostSeeds: 60,
    plant: () =>
      replace(
        SessionTable.prototype,
        "restore",
        (original) =>
          function (this: SessionTable, ...rest) {
            const session = original.call(this, ...rest);
            Object.defineProperty(session, "expiryInterval", { get: () => NEVER, set: nothing });
            return session;
          },
      ),
  },
  {
    name: "messages do not expire",
    mostSeeds: 60,
    plant: () =>
      replace(
        FanOut.prototype,
        "publish",
        (original) =>
          function (this: FanOut, message, ...rest) {
            Object.defineProperty(message, "expiresAtMs", { value: Infinity });
            original.call(this, message, ...rest);
          },
      ),
  },
  {
    name: "an empty payload does not delete what is retained",
    mostSeeds: 20,
    plant: () =>
      replace(
        RetainedMessages.prototype,
        "set",
        (original) =>
          function (this: RetainedMessages, message, account) {
            if (message.payloadLength > 0) original.call(this, message, account);
          },
      ),
  },
  {
    name: "retained messages are not stored",
    mostSeeds: 60,
    plant: () => replace(RetainedMessages.prototype, "save", () => nothing),
  },
  {
    name: "a takeover leaves the old connection",
    mostSeeds: 20,
    plant: () =>
      replace(
        Connection.prototype,
        "disconnect",
        (original) =>
          function (this: Connection, reasonCode, ...rest) {
            if (reasonCode !== SESSION_TAKEN_OVER) original.call(this, reasonCode, ...rest);
          },
      ),
  },
  {
    name: "PUBREL is not repeated",
    mostSeeds: 100,
    plant: () =>
      replace(
        Sender.prototype,
        "nextResend",
        (original) =>
          function (this: Sender<unknown>) {
            let delivery = original.call(this);
            while (delivery?.isReleased === true) delivery = original.call(this);
            return delivery;
          },
      ),
  },
  {
    name: "repetitions change their order",
    mostSeeds: 20,
    plant: () => {
      const held = new WeakMap<Sender<unknown>, ReturnType<Sender<unknown>["nextResend"]>>();
      return replace(
        Sender.prototype,
        "nextResend",
        (original) =>
          function (this: Sender<unknown>) {
            const waiting = held.get(this);
            held.delete(this);
            if (waiting !== undefined) return waiting;
            const first = original.call(this);
            const second = original.call(this);
            if (second === undefined) return first;
            held.set(this, first);
            return second;
          },
      );
    },
  },
  {
    name: "nothing is repeated after a reconnect",
    mostSeeds: 10,
    plant: () =>
      replace(
        Sender.prototype,
        "nextResend",
        (original) =>
          function (this: Sender<unknown>) {
            while (this.isResending) original.call(this);
            return undefined;
          },
      ),
  },
  {
    name: "Receive Maximum is ignored",
    mostSeeds: 20,
    plant: () =>
      replace(
        Sender.prototype,
        "connect",
        (original) =>
          function (this: Sender<unknown>) {
            original.call(this, 65_535);
          },
      ),
  },
  {
    name: "No Local is ignored",
    mostSeeds: 60,
    plant: () =>
      replace(
        SubscriptionTable.prototype,
        "subscribe",
        (original) =>
          function (this: SubscriptionTable, session, subscription) {
            return original.call(this, session, { ...subscription, noLocal: false });
          },
      ),
  },
  {
    name: "Session Present is 0 for a session that exists",
    mostSeeds: 10,
    plant: () =>
      replace(
        SessionTable.prototype,
        "open",
        (original) =>
          function (this: SessionTable, ...all) {
            return { ...original.call(this, ...all), present: false };
          },
      ),
  },
  {
    name: "what a member of a shared subscription had goes to nobody when its session ends",
    mostSeeds: 600,
    plant: () =>
      replace(
        SharedGroup.prototype,
        "ended",
        (original) =>
          function (this: SharedGroup, place) {
            original.call(this, place, 2);
          },
      ),
  },
  {
    name: "broker time goes back with the wall clock at a restart",
    mostSeeds: 400,
    plant: () => replace(Turn.prototype, "restoreTime", () => nothing),
  },
  {
    name: "DISCONNECT does not change the Session Expiry Interval",
    mostSeeds: 60,
    plant: () =>
      replace(
        Connection.prototype,
        "disconnectedByClient",
        (original) =>
          function (this: Connection, ...all) {
            if (this.session?.expiryInterval === 0) this.session.expiryInterval = this.connectExpiryInterval;
            original.call(this, ...all);
          },
      ),
  },
  {
    name: "the disk tears the batch under way at a crash: its records are there, its blocks are not",
    mostSeeds: 100,
    plant: () =>
      replace(
        Disk.prototype,
        "crash",
        (original) =>
          function (this: Disk) {
            const { apply } = this;
            this.apply = (batch) => {
              const torn = Object.assign(new StoreBatch(), { records: batch.records });
              apply.call(this, torn);
            };
            original.call(this);
            this.apply = apply;
          },
      ),
  },
  {
    name: "a message that expired is counted for the broker and not for its session",
    mostSeeds: 60,
    plant: () =>
      replace(
        DeliveryCounts.prototype,
        "undelivered",
        (original) =>
          function (this: DeliveryCounts, counters, why, count) {
            original.call(this, counters, why, count);
            if (why === "expired") this.expired -= count ?? 1;
          },
      ),
  },
  {
    name: "a repetition that the client acknowledges is counted as delivered twice",
    mostSeeds: 20,
    plant: () =>
      replace(
        Session.prototype,
        "puback",
        (original) =>
          function (this: Session, packetId, isError) {
            const before = this.counts.delivered;
            const isKnown = original.call(this, packetId, isError);
            if (this.counts.delivered === before) return isKnown;
            this.counts.delivered++;
            this.counts.taken++;
            this.context.counters.delivered++;
            return isKnown;
          },
      ),
  },
  {
    name: "Maximum Packet Size is ignored",
    mostSeeds: 100,
    plant: () => replace(Connection.prototype, "omission", () => () => undefined),
  },
  {
    name: "the answer of a publish hook that took its time is ignored",
    mostSeeds: 100,
    plant: () =>
      replace(
        Rules.prototype,
        "hooks",
        (original) =>
          function (this: Rules, ...all) {
            const { publish, ...others } = original.apply(this, all);
            if (publish === undefined) return others;
            return {
              ...others,
              publish: (message, client) => {
                const answer = publish(message, client);
                return answer instanceof Promise ? answer.then(() => undefined) : answer;
              },
            };
          },
      ),
  },
  {
    name: "publish() of the application resolves before the message is on disk",
    mostSeeds: 100,
    plant: () => replace(Turn.prototype, "whenDurable", () => () => Promise.resolve()),
  },
  {
    name: "entries that a damaged block had are passed over without a word",
    mostSeeds: 200,
    plant: () => replace(LastingSession.prototype, "missing", () => nothing),
  },
  {
    name: "log blocks stay in memory",
    mostSeeds: 20,
    plant: () => replace(LogTable.prototype, "committed", () => nothing),
  },
  {
    name: "PUBCOMP is not noted",
    mostSeeds: 10,
    plant: () => replace(Session.prototype, "pubcomp", () => () => true),
  },
];

/** Plants the fault of this name. @throws RangeError when there is none. */
export function plantFault(name: string): () => void {
  const fault = FAULTS.find((candidate) => candidate.name === name);
  if (fault === undefined) throw new RangeError(`no planted fault is called "${name}"`);
  return fault.plant();
}
