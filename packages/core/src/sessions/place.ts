// Where a delivery in flight came from, so that it can be read, or given, again.

import type { Cursor } from "../logs/cursor.ts";
import type { Message } from "../message.ts";

/** A shared group, as those see it who have something of it in flight. */
export interface PlaceGroup {
  /** A member acknowledged, or refused, what it was given. */
  completed(place: NonNullable<Place>): void;
  /** A member's session ended with this in flight. */
  ended(place: NonNullable<Place>, qos: 1 | 2): void;
  /** A message that a member had not been sent yet. */
  takeBack(message: Message): void;
}

export type Place =
  /** A log: the session's own cursor, or that of a shared group. */
  | {
      readonly stretchId: number;
      readonly cursor: Cursor;
      readonly index: number;
      readonly group: PlaceGroup | undefined;
    }
  /** A shared group without a log; the message is kept until it is acknowledged. */
  | {
      readonly stretchId: number;
      readonly group: PlaceGroup;
      readonly message: Message;
      readonly cursor: undefined;
    }
  /** Nowhere: the delivery ends with the connection. */
  | undefined;

/** Number of the stretch that stands for a session's own log of retained messages. */
export const INBOX = 0;
