// The port for what a broker tells about itself: events as they happen. Counters are in `counters.ts`.

import type { ClientInfo } from "./hooks.ts";
import type { Damage } from "./store.ts";

/** Events by name. Payloads and passwords are never among them. */
export interface BrokerEvents {
  connected: { readonly client: ClientInfo; readonly sessionPresent: boolean };
  /** `reasonCode` is that of the DISCONNECT sent or received; 0 = a normal one. */
  disconnected: { readonly client: ClientInfo; readonly reasonCode: number; readonly reason: string };
  /** A connection that ended before it was accepted. */
  refused: { readonly remoteAddress: string; readonly reasonCode: number; readonly reason: string };
  /** The decoder failed on a packet by a fault of its own; its connection ended. The bytes are in `Broker.failedInputs`. */
  decoderFailed: { readonly remoteAddress: string; readonly error: Error };
  /** A hook threw while a packet was handled; its connection ended. The client is told only that. The error is as thrown. */
  hookFailed: { readonly remoteAddress: string; readonly error: Error };
  subscribed: { readonly client: ClientInfo; readonly topicFilter: string; readonly qos: number };
  /** By UNSUBSCRIBE, or because the permissions do not allow it any more. */
  unsubscribed: { readonly client: ClientInfo; readonly topicFilter: string };
  sessionEnded: {
    readonly clientId: string;
    readonly reason: "expired" | "clean-start" | "closed" | "account-removed";
    readonly discarded: number;
  };
  /** Acknowledged messages left out at a queue's limit. */
  discarded: { readonly clientId: string; readonly messages: number };
  willPublished: { readonly clientId: string; readonly topicName: string };
  damaged: Damage;
  /** Too much memory: `step` says what is given up now, from 0 = nothing to 5; see docs/architecture.md. */
  memory: { readonly step: number; readonly usedBytes: number; readonly limitBytes: number };
  storeFull: { readonly full: boolean };
}

export type BrokerEventName = keyof BrokerEvents;

/** Receives events. Called synchronously; must not throw and must be quick. */
export interface Observer {
  event<Name extends BrokerEventName>(name: Name, event: BrokerEvents[Name]): void;
}
