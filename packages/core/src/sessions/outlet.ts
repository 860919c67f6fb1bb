// What a session sees of its connection: a way out for packets, with the limits of that one connection.

import type { QoS } from "@heirloom/codec";
import type { Message } from "../message.ts";

/** Why a message is not sent to a client: the name of the counter for it. */
export type Omission = "droppedTooLarge" | "droppedForbidden";

export interface Outlet {
  /** Whether so many bytes wait that QoS 1 and 2 deliveries should wait in the session instead. */
  readonly isFull: boolean;
  /** Whether the client may see messages of this topic, under the rules of this moment. */
  mayReceive(topicName: string): boolean;
  /**
   * Why this message must not be sent: the client may not see its topic, or the PUBLISH would be larger than its Maximum
   * Packet Size, 5.0 [MQTT-3.1.2-24]. Everything that is sent to anyone was asked about here.
   */
  omission(message: Message, qos: QoS, identifiers: readonly number[]): Omission | undefined;
  /** Sends a PUBLISH. `packetId` is 0 at QoS 0. */
  sendPublish(
    message: Message,
    qos: QoS,
    packetId: number,
    dup: boolean,
    retain: boolean,
    identifiers: readonly number[],
  ): void;
  /** Sends a QoS 0 PUBLISH, or drops and counts it when too much waits. */
  sendQoS0(message: Message, retain: boolean, identifiers: readonly number[]): void;
  sendPubrel(packetId: number): void;
  /** What is sent from now on waits until the batch is on disk. */
  waitFor(batch: number): void;
  /** Ends the connection: DISCONNECT with the reason code where the version has one. */
  disconnect(reasonCode: number, reason: string): void;
}
