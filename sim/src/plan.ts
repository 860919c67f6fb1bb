// The plan of a run: clients, limits, and one list of steps. A run is nothing but its plan, so a failing one is shortened by
// leaving steps out.

import type { ProtocolVersion, QoS } from "@heirloom/codec";
import type { Limits } from "@heirloom/core";
import type { RulesPlan } from "./rules.ts";

export interface ClientPlan {
  readonly clientId: string;
  readonly version: ProtocolVersion;
  /** Seconds; 0 = clean sessions. For 3.x 0 or 0xFFFFFFFF. */
  readonly expiryInterval: number;
  /** 65535 = not said in CONNECT. */
  readonly receiveMaximum: number;
  /** Seconds, 0 = none. */
  readonly keepAlive: number;
  readonly topicAliasMaximum: number;
  /** Packet identifiers that it uses: 1 to this. A small number brings their reuse soon. */
  readonly packetIds: number;
  /** Bytes of a packet that it takes at most; `undefined` = any. */
  readonly maximumPacketSize?: number | undefined;
  /** It waits up to this long before it acknowledges. */
  readonly ackDelayMs: number;
  /** Whether it refuses some deliveries with an error code. */
  readonly refuses: boolean;
}

export interface WillPlan {
  readonly topicName: string;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Seconds. */
  readonly delayInterval: number;
}

export interface FilterPlan {
  readonly topicFilter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface PublishPlan {
  readonly topicName: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly isEmpty: boolean;
  /** Seconds, -1 = none. */
  readonly expiryInterval: number;
  readonly size: number;
}

/** How a client goes. */
export type Leave = "disconnect" | "disconnect-with-will" | "end-session" | "close" | "cut" | "freeze";

export type What =
  | {
      readonly kind: "connect";
      readonly client: number;
      readonly cleanStart: boolean;
      readonly will: WillPlan | undefined;
    }
  | { readonly kind: "leave"; readonly client: number; readonly how: Leave }
  | { readonly kind: "slow"; readonly client: number; readonly bytesPerMs: number }
  | {
      readonly kind: "publish";
      readonly client: number;
      readonly count: number;
      readonly message: PublishPlan;
    }
  | { readonly kind: "application-publishes"; readonly message: PublishPlan }
  | {
      readonly kind: "subscribe";
      readonly client: number;
      readonly filters: readonly FilterPlan[];
      readonly identifier: number;
    }
  | { readonly kind: "unsubscribe"; readonly client: number; readonly topicFilters: readonly string[] }
  | { readonly kind: "misbehave"; readonly client: number; readonly bytes: readonly number[] }
  | { readonly kind: "crash"; readonly downMs: number; readonly effects: number }
  | { readonly kind: "restart"; readonly downMs: number }
  | { readonly kind: "disk-full"; readonly forMs: number }
  | { readonly kind: "disk-slow"; readonly slowMs: number; readonly forMs: number }
  | { readonly kind: "sync-fails" }
  /** The process dies, and a stored block is damaged. */
  | { readonly kind: "damage"; readonly downMs: number }
  /** The wall clock jumps, and the process dies unless `downMs` is `undefined`. */
  | { readonly kind: "clock-jumps"; readonly byMs: number; readonly downMs: number | undefined }
  | { readonly kind: "wait" };

/** One step: what is done, how long after the step before, and the seed of all that is random in it. */
export interface Step {
  readonly afterMs: number;
  readonly seed: number;
  readonly what: What;
}

export interface Plan {
  readonly seed: number;
  readonly limits: Partial<Limits>;
  /** Whether a crash brings the broker's packet identifiers near the last one, as after 65,000 deliveries. */
  readonly isNearLastPacketId?: boolean;
  /** The application's hooks; none when it is not said. */
  readonly rules?: RulesPlan | undefined;
  /** Whether the application subscribes to everything. */
  readonly isApplicationSubscribed?: boolean;
  readonly clients: readonly ClientPlan[];
  readonly steps: readonly Step[];
}
