// One subscription of one session, with all options. MQTT 5.0 section 3.8.3.1.

import type { QoS } from "@heirloom/codec";

export interface Subscription {
  /** As the client wrote it, with `$share/name/` in front where it is shared. */
  readonly topicFilter: string;
  /** The QoS that was granted. */
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** 0 = none. */
  readonly subscriptionIdentifier: number;
}
