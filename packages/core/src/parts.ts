// The parts of one broker, as its handlers see them. Put together in `broker.ts`.

import type { Acceptance } from "./acceptance.ts";
import type { Context } from "./context.ts";
import type { RetainedMessages } from "./retained.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import type { SubscriptionTable } from "./sessions/subscription-table.ts";
import type { Connection } from "./connection.ts";
import type { WillPublisher } from "./will-publisher.ts";

export interface Parts {
  readonly context: Context;
  readonly sessions: SessionTable;
  readonly subscriptions: SubscriptionTable;
  readonly retained: RetainedMessages;
  readonly acceptance: Acceptance;
  readonly wills: WillPublisher;
  /** Connections whose CONNECT was accepted. */
  connectedCount(): number;
  /** The connection that holds a session. */
  connectionOf(clientId: string): Connection | undefined;
}
