// One subscription of one session while its options stay the same: from SUBSCRIBE to the next SUBSCRIBE or UNSUBSCRIBE
// for that filter. For lasting sessions with QoS 1 or 2 it has a cursor and may outlive its subscription until it is read.

import type { Cursor } from "../logs/cursor.ts";
import type { Session } from "./session.ts";
import type { SharedGroup } from "./shared-group.ts";
import type { Subscription } from "./subscription.ts";

export interface Stretch {
  /** Number within the session, 1 and up; the key of its record. */
  readonly stretchId: number;
  readonly session: Session;
  readonly subscription: Subscription;
  /** The session's own cursor; `undefined` at QoS 0, in clean sessions and for shared subscriptions. */
  readonly cursor: Cursor | undefined;
  /** The group of a shared subscription. */
  readonly group: SharedGroup | undefined;
}
