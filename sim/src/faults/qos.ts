// Planted faults in the exchanges of QoS 1 and 2: packet identifiers, repetitions and DUP, what a restart knows of them,
// Receive Maximum.

import { Connection } from "../../../packages/core/dist/connection.js";
import { Receiver } from "../../../packages/core/dist/qos/receiver.js";
import { Sender } from "../../../packages/core/dist/qos/sender.js";
import { Session } from "../../../packages/core/dist/sessions/session.js";
import { SessionState } from "../../../packages/core/dist/sessions/session-state.js";
import { type Fault, nothing, replace } from "../fault.ts";

const SENDER: Sender<unknown> = Sender.prototype;

export const QOS_FAULTS: readonly Fault[] = [
  {
    name: "QoS 2 packet identifiers received are not stored",
    mostSeeds: 60,
    plant: () => replace(SessionState.prototype, "receivedChanged", nothing),
  },
  {
    name: "QoS 2 packet identifiers received are lost at a restart",
    mostSeeds: 60,
    plant: () => replace(Receiver.prototype, "restore", nothing),
  },
  {
    name: "the release of a QoS 2 packet identifier is not stored",
    mostSeeds: 60,
    plant: () =>
      replace(Receiver.prototype, "released", (original, packetId) => {
        original(packetId);
        return false;
      }),
  },
  {
    name: "PUBREC is forgotten in a restart",
    mostSeeds: 60,
    plant: () =>
      replace(SENDER, "restore", (original, packetId, qos, ref) => original(packetId, qos, ref, false)),
  },
  {
    name: "PUBCOMP is not noted",
    mostSeeds: 10,
    plant: () => replace(Session.prototype, "pubcomp", () => true),
  },
  {
    name: "what is in flight is not stored",
    mostSeeds: 30,
    plant: () => replace(SessionState.prototype, "deliveryChanged", nothing),
  },
  {
    name: "DUP is forgotten",
    mostSeeds: 10,
    plant: () =>
      replace(Connection.prototype, "sendPublish", (original, message, qos, packetId, _dup, ...rest) =>
        original(message, qos, packetId, false, ...rest),
      ),
  },
  {
    name: "DUP on first deliveries",
    mostSeeds: 10,
    plant: () =>
      replace(Connection.prototype, "sendPublish", (original, message, qos, packetId, _dup, ...rest) =>
        original(message, qos, packetId, qos > 0, ...rest),
      ),
  },
  {
    name: "nothing is repeated after a reconnect",
    mostSeeds: 10,
    plant: () =>
      replace(SENDER, "nextResend", function (original) {
        while (this.isResending) original();
        return undefined;
      }),
  },
  {
    name: "PUBREL is not repeated",
    mostSeeds: 100,
    plant: () =>
      replace(SENDER, "nextResend", (original) => {
        let delivery = original();
        while (delivery?.isReleased === true) delivery = original();
        return delivery;
      }),
  },
  {
    name: "repetitions change their order",
    mostSeeds: 20,
    plant: () => {
      const held = new WeakMap<Sender<unknown>, ReturnType<Sender<unknown>["nextResend"]>>();
      return replace(SENDER, "nextResend", function (original) {
        const waiting = held.get(this);
        held.delete(this);
        if (waiting !== undefined) return waiting;
        const first = original();
        const second = original();
        if (second === undefined) return first;
        held.set(this, first);
        return second;
      });
    },
  },
  {
    name: "Receive Maximum is ignored",
    mostSeeds: 20,
    plant: () => replace(SENDER, "connect", (original) => original(65_535)),
  },
];
