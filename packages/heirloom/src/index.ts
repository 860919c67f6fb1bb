// The public names of the package `heirloom`, one by one.

export {
  PublishRefusedError,
  type PublishOptions,
  type ReceivedMessage,
  type SubscribeOptions,
} from "./application-messages.ts";
export { Broker, type AttachOptions, type BrokerEvents, type ReloadOptions } from "./broker.ts";
export { createBroker, type BrokerOptions } from "./create-broker.ts";
export { ServerCounters } from "./counters.ts";
export { ConfigError, ListenError, type ConfigProblem } from "./errors.ts";
export type { ListenerLimits, ListenerOptions, ProxyProtocolOptions } from "./config/listener-options.ts";
export type { GeneralOptions } from "./config/options.ts";
export type {
  ClaimsPermissionOptions,
  PermissionAction,
  PermissionAnswer,
  PermissionCheck,
  PermissionOptions,
  PermissionRequest,
  RuleOptions,
  WebhookPermissionOptions,
  WhoOptions,
} from "./permissions/options.ts";
export type { Answer, AuthenticateFunction } from "./identity/authenticator.ts";
export type { CertificateField } from "./identity/certificate.ts";
export type {
  Authentication,
  AuthenticatorOptions,
  CertificateOptions,
  JwtFields,
  JwtOptions,
  LoginLimits,
  PasswordFileOptions,
  ScramOptions,
  WebhookFields,
  WebhookOptions,
} from "./identity/options.ts";
export type { ServerOptions } from "./config/settings.ts";
export type { PemSource, ServerNameOptions, TlsOptions } from "./config/tls-options.ts";
export type { Listener } from "./transports/transport.ts";
