// The heirloom broker as a state machine: no sockets, no clock, no disk. The public names.
export type { LocalSubscription } from "./application.ts";
export { Broker } from "./broker.ts";
export type { BrokerOptions } from "./broker.ts";
export type { Connection } from "./connection.ts";
export { Counters } from "./counters.ts";
export { DeliveryCounts } from "./delivery-counts.ts";
export type { Undelivered } from "./delivery-counts.ts";
export type { FailedInput } from "./failed-inputs.ts";
export { DEFAULT_LIMITS } from "./limits.ts";
export type { Limits, Listener, QueuePolicy } from "./limits.ts";
export type { MessageHandler } from "./local-client.ts";
export { Message } from "./message.ts";
export type { MessageFields } from "./message.ts";
export { NO_CLAIMS } from "./ports/hooks.ts";
export type {
  Admission,
  AuthExchange,
  AuthMethod,
  AuthStep,
  ClientInfo,
  ConnectHook,
  DeliverHook,
  Hooks,
  PublishHook,
  Refusal,
  SubscribeHook,
} from "./ports/hooks.ts";
export type { Access, Permissions } from "./ports/permissions.ts";
export type { BrokerEventName, BrokerEvents, Observer } from "./ports/observer.ts";
export { StoreBatch, StoreError, TABLES } from "./ports/store.ts";
export type {
  Damage,
  DamagedBlock,
  LogExtent,
  Store,
  StoreErrorCode,
  StoredBlock,
  Table,
} from "./ports/store.ts";
export type { ClientCertificate, Transport } from "./ports/transport.ts";
export type { World } from "./ports/world.ts";
export { Receiver } from "./qos/receiver.ts";
export { Sender } from "./qos/sender.ts";
export type { Delivery } from "./qos/in-flight.ts";
export { MemoryStore } from "./stores/memory-store.ts";
export type { GroupInfo, SessionInfo } from "./session-info.ts";
export type { Subscription } from "./subscription.ts";
export * from "./topics/index.ts";
