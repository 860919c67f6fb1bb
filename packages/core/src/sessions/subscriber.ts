// A session, as those see it who have messages for it: the fan-out and shared groups.

import type { Cursor } from "../logs/cursor.ts";
import type { Message } from "../message.ts";
import type { Outlet } from "./outlet.ts";
import type { Place, PlaceGroup } from "./place.ts";

/** A subscription that a message matched: its cursor moves past it. */
export interface Matched {
  readonly cursor: Cursor | undefined;
}

/** A shared subscription through which a message comes. */
export interface Shared {
  readonly stretchId: number;
  readonly group: PlaceGroup | undefined;
}

export interface Subscriber {
  readonly clientId: string;
  /** Whether it outlives its connection: Session Expiry above 0, or clean session 0. */
  readonly isLasting: boolean;
  /** The way out while it is connected. */
  readonly outlet: Outlet | undefined;
  /** Whether a message given through a shared group could be sent now. */
  readonly hasRoom: boolean;

  /**
   * Hands over a message of QoS 1 or 2 that was just published and matched. `matched` has all subscriptions that match,
   * also those that leave it out by No Local; `qos`, `retain` and `identifiers` are those of the delivery.
   */
  offer(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    matched: readonly Matched[],
  ): void;

  /** A message was published that matched and that the session is not to get: its own, with No Local. */
  passOver(matched: readonly Matched[]): void;

  /** Sends QoS 0, or lets it wait for a delivery hook. */
  offerQoS0(message: Message, retain: boolean, identifiers: readonly number[]): void;

  /** Takes a message of a shared group without a log; it waits if there is no room. Only clean sessions are members there. */
  offerShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    shared: Shared,
  ): void;

  /** Takes a message from a shared group. There must be room. `place` says where it can be read, or given, again. */
  sendShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    place: Place,
  ): void;
}
