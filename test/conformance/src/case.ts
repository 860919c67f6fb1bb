// What a case is, and the configurations and events that a case may need from whoever runs the broker.
import type { Version } from "./build.ts";
import type { Trial } from "./trial.ts";

/** Where a broker listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** WebSocket cases are skipped without it. */
  readonly wsPort?: number;
  /** The path of the WebSocket's URL; "/mqtt" if absent. */
  readonly wsPath?: string;
}

/** A broker that differs from the default in these ways. What is absent stays as it is by default. */
export interface BrokerConfig {
  /** 0 or 1. */
  readonly maximumQoS?: number;
  readonly retainAvailable?: boolean;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  /** Seconds; the longest Keep Alive that is granted. */
  readonly keepAliveMaximum?: number;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  /** Bytes. */
  readonly maximumPacketSize?: number;
  /** Seconds. */
  readonly sessionExpiryMaximum?: number;
  /** Every CONNECT is refused with 0x9C or 0x9D and this reference. */
  readonly serverReference?: string;
  /** PUBLISH to topics below "denied/" is refused with 0x87. */
  readonly deniedTopics?: boolean;
  /** SUBSCRIBE on filters below "denied/" is refused with 0x87. */
  readonly deniedFilters?: boolean;
  /** A PUBLISH below "slow/" is allowed, but only after some milliseconds. */
  readonly slowTopics?: boolean;
  /** Only user "alice" with password "secret" may connect; others are refused with 0x86 (3.1.1: 4 or 5). */
  readonly passwords?: boolean;
  /** Method "TEST-ECHO": AUTH 0x18 with data "challenge" is to be answered with data "response". */
  readonly enhancedAuthentication?: boolean;
  /** State is on disk, so that it outlives a stop and a start. */
  readonly persistence?: boolean;
}

/** A broker that was started for a case. */
export interface ControlledBroker {
  readonly target: Target;
  /** Ends the process at once (kill -9) and starts it again with the same state, on the same port. */
  kill(): Promise<void>;
  /** Stops the broker in an orderly way, without starting it again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface Controls {
  /** Starts a broker with `config`, calls `use` and stops it. Rejects with SkipError for what it cannot configure. */
  withBroker(config: BrokerConfig, use: (broker: ControlledBroker) => Promise<void>): Promise<void>;
}

export interface Case {
  /** What it shows, each with its version: "3.1.1 [MQTT-3.1.0-1]", or "3.1" for a rule of 3.1. */
  readonly ids: readonly string[];
  /** A sentence. */
  readonly title: string;
  /** The versions to run it in. By default those of `ids`. */
  readonly versions?: readonly Version[];
  /** The line of spec/hard-cases.md: its section's first word and its number in there, "connecting/3". */
  readonly hardCase?: string | readonly string[];
  /** A broker of its own. Cases with equal `needs` share one, unless they restart it. */
  readonly needs?: BrokerConfig;
  /** Stops or kills its broker, so it needs one for itself. */
  readonly restarts?: boolean;
  readonly webSocket?: boolean;
  /**
   * It shows what the standard recommends or leaves open and the broker promises all the same. Runs only when asked
   * for; the title begins with `BEYOND`.
   */
  readonly contract?: boolean;
  /** About how long it has to wait; long ones start first. */
  readonly seconds?: number;
  run(t: Trial): Promise<void>;
}

/** How the titles of cases with `contract` begin. */
export const BEYOND = "beyond the standard: ";

export const VERSIONS: readonly Version[] = ["3.1", "3.1.1", "5.0"];
/** For cases about features that 3.1.1 and 5.0 share. */
export const NUMBERED: readonly Version[] = ["3.1.1", "5.0"];

export function versionOf(id: string): Version | undefined {
  return VERSIONS.find((version) => id === version || id.startsWith(`${version} `));
}

/** The versions that a case runs in. */
export function versionsOf({ versions, ids }: Case): readonly Version[] {
  return versions ?? VERSIONS.filter((version) => ids.some((id) => versionOf(id) === version));
}
