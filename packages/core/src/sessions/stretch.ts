// One subscription of one session while its options stay the same: from SUBSCRIBE to the next SUBSCRIBE or UNSUBSCRIBE
// for that filter. For lasting sessions with QoS 1 or 2 it has a cursor and may outlive its subscription until it is read.

import type { Cursor } from "../logs/cursor.ts";
import type { PlaceGroup } from "./place.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Subscription } from "../subscription.ts";

export interface Stretch {
  /** Number within the session, 1 and up; the key of its record. */
  readonly stretchId: number;
  readonly session: Subscriber;
  readonly subscription: Subscription;
  /** The session's own cursor; `undefined` at QoS 0, in clean sessions and for shared subscriptions. */
  readonly cursor: Cursor | undefined;
  /** The group of a shared subscription. */
  readonly group: StretchGroup | undefined;
}

/** A shared group, as its members see it. */
export interface StretchGroup extends PlaceGroup {
  readonly shareName: string;
  /** Without `$share/name/`. */
  readonly topicFilter: string;
  /** Gives what waits to members with room. */
  pump(): void;
}
