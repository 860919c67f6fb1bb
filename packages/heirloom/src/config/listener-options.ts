// The options of one listener: where clients connect, and what holds there.

import type { Limits } from "@heirloom/core";
import { LISTENER_ADMISSION_OPTIONS, type AdmissionOptions } from "./admission-options.ts";
import { group } from "./fields.ts";
import { addressRange, count, fileMode, flag, listOf, mountPoint, oneOf, path, size, text } from "./kinds.ts";
import type { OptionTable } from "./option.ts";
import { LIMIT_OPTIONS, MAXIMUM } from "./options.ts";
import { TLS_OPTIONS, type TlsOptions } from "./tls-options.ts";

/** The limits that each listener may set for itself. */
export type ListenerLimits = Pick<
  Limits,
  | "maximumPacketSize"
  | "keepAliveMaximum"
  | "receiveMaximum"
  | "topicAliasMaximum"
  | "protocolVersions"
  | "publishRate"
  | "publishByteRate"
>;

/** Addresses that a proxy tells, in the PROXY protocol of HAProxy. */
export interface ProxyProtocolOptions {
  /** Addresses or networks of the proxies, such as "10.0.0.0/8". Connections from elsewhere are closed. */
  readonly trustedSources: readonly string[];
}

/** One listener, as a program or a file describes it. What is absent has its default. */
export interface ListenerOptions extends Partial<ListenerLimits>, AdmissionOptions {
  /** How hooks, events and messages call it. Default: its transport, with a number when there are several. */
  readonly name?: string;
  /** Default "tcp". */
  readonly transport?: "tcp" | "websocket";
  /** An address or a host name. Default: 127.0.0.1 when anonymous clients are allowed, otherwise all addresses. */
  readonly host?: string;
  /** 0 = one that is free. Default 1883, for WebSocket 8083; with TLS 8883 and 8084. */
  readonly port?: number;
  /** The path of a Unix socket, instead of `host` and `port`. */
  readonly socket?: string;
  /** Who may connect to the Unix socket, in octal digits. Default "0660". */
  readonly socketMode?: string;
  /** Encrypts. Without it, everybody on the way can read passwords and messages. */
  readonly tls?: TlsOptions;
  /** Each connection has to begin with a PROXY protocol header. */
  readonly proxyProtocol?: ProxyProtocolOptions;
  /** WebSocket: the only path that is served. Default: every path. */
  readonly path?: string;
  /** WebSocket: the origins of web pages that may connect. */
  readonly allowedOrigins?: readonly string[];
  /** WebSocket: proxies whose `X-Forwarded-For` is believed, as addresses or networks. */
  readonly trustedProxies?: readonly string[];
  /** What is put before all topics of its clients, and taken from what they are sent, such as "tenant/". */
  readonly mountPoint?: string;
  readonly allowAnonymous?: boolean;
  /** Connections at the same time; those beyond it are closed at once. Default: only the broker's own limit. */
  readonly connections?: number;
  /** Messages per second of all its clients together. Default 0 = no limit. */
  readonly totalPublishRate?: number;
  /** Bytes of topics and payloads per second of all its clients together. Default 0 = no limit. */
  readonly totalPublishByteRate?: number;
}

type Ports = Readonly<Record<NonNullable<ListenerOptions["transport"]>, number>>;

export const DEFAULT_PORTS: Ports = { tcp: 1883, websocket: 8083 };
export const DEFAULT_TLS_PORTS: Ports = { tcp: 8883, websocket: 8084 };
export const DEFAULT_SOCKET_MODE = "0660";

/** The options of one listener that are no limits. The limits are those of {@link LISTENER_LIMIT_OPTIONS}. */
export const LISTENER_OPTIONS: OptionTable<Omit<ListenerOptions, keyof ListenerLimits>> = {
  name: {
    name: "name",
    kind: text,
    default: "the transport's name, with a number when there are several",
    description: "How hooks, events and messages call the listener. Names are unique.",
  },
  transport: {
    name: "transport",
    kind: oneOf(
      new Map<string, "tcp" | "websocket">([
        ["tcp", "tcp"],
        ["websocket", "websocket"],
      ]),
    ),
    default: "tcp",
    description: "What carries the packets.",
  },
  host: {
    name: "host",
    kind: text,
    default: "127.0.0.1 while anonymous clients are allowed, otherwise all addresses",
    description:
      "The address, or the name of a host, to listen on. `0.0.0.0` is every IPv4 address, `::` every address.",
  },
  port: {
    name: "port",
    kind: count({ minimum: 0, maximum: MAXIMUM.u16 }),
    default:
      `${DEFAULT_PORTS.tcp}, for WebSocket ${DEFAULT_PORTS.websocket}; ` +
      `with TLS ${DEFAULT_TLS_PORTS.tcp} and ${DEFAULT_TLS_PORTS.websocket}`,
    description: "The port to listen on; 0 takes one that is free.",
  },
  socket: {
    name: "socket",
    kind: path,
    default: "none",
    description:
      "The path of a Unix socket to listen on, instead of `host` and `port`. A socket that a process left behind is " +
      "replaced; one on which somebody listens is not.",
  },
  socketMode: {
    name: "socketMode",
    kind: fileMode,
    default: DEFAULT_SOCKET_MODE,
    description: "The mode of the Unix socket: whoever may write to it may connect.",
  },
  tls: {
    name: "tls",
    kind: group(TLS_OPTIONS, ["certificate", "key"]),
    default: "no encryption",
    description: "TLS, for TCP and WebSocket. The files are read anew on SIGHUP; connections stay.",
  },
  proxyProtocol: {
    name: "proxyProtocol",
    kind: group<ProxyProtocolOptions>(
      {
        trustedSources: {
          name: "trustedSources",
          kind: listOf(addressRange),
          default: "none, it has to be given",
          description: "Addresses or networks of the proxies. Connections from elsewhere are closed.",
        },
      },
      ["trustedSources"],
    ),
    default: "clients connect directly",
    description:
      "Behind a proxy such as HAProxy: each connection has to begin with a PROXY protocol header, version 1 or 2, which " +
      "tells the client's address. It comes before TLS.",
  },
  path: {
    name: "path",
    kind: text,
    default: "every path",
    description: "WebSocket: the only path that is served, such as `/mqtt`.",
  },
  allowedOrigins: {
    name: "allowedOrigins",
    kind: listOf(text),
    default: "pages of this machine when only this machine and anonymous clients can connect, otherwise all",
    description:
      "WebSocket: the origins of web pages that may connect, such as `https://example.org`; `*` stands for all. Clients " +
      "that are no browsers send no origin and are not concerned.",
  },
  trustedProxies: {
    name: "trustedProxies",
    kind: listOf(addressRange),
    default: "none; the header is ignored",
    description:
      "WebSocket: addresses or networks of proxies whose `X-Forwarded-For` is believed. The client is the last address in " +
      "it that is no such proxy.",
  },
  mountPoint: {
    name: "mountPoint",
    kind: mountPoint,
    default: "none",
    description:
      "What is put before all topics and filters of this listener's clients and taken from the topics that they are sent, " +
      "such as `tenant/`: they see and reach nothing else. Permissions and hooks are asked about whole topics. Client " +
      "identifiers are the same for all listeners.",
  },
  allowAnonymous: {
    name: "allowAnonymous",
    kind: flag,
    default: "the broker's `allowAnonymous`",
    description: "The same for this listener.",
  },
  totalPublishRate: {
    name: "totalPublishRate",
    kind: count({ minimum: 0, maximum: MAXIMUM.count }),
    default: "0",
    description:
      "Messages per second of all clients of this listener together; 0 = no limit. See `ratePolicy`.",
  },
  totalPublishByteRate: {
    name: "totalPublishByteRate",
    kind: size({ minimum: 0, maximum: MAXIMUM.bytes }),
    default: "0",
    description: "Topics and payloads per second of all clients of this listener together; 0 = no limit.",
  },
  connections: {
    name: "connections",
    kind: count({ minimum: 1, maximum: MAXIMUM.count }),
    default: "no limit but the broker's",
    description: "Connections of this listener at the same time; those beyond it are closed at once.",
  },
  ...LISTENER_ADMISSION_OPTIONS,
};

/** The limits that a listener may set for itself. */
export const LISTENER_LIMIT_OPTIONS: OptionTable<ListenerLimits> = {
  protocolVersions: LIMIT_OPTIONS.protocolVersions,
  maximumPacketSize: LIMIT_OPTIONS.maximumPacketSize,
  keepAliveMaximum: LIMIT_OPTIONS.keepAliveMaximum,
  receiveMaximum: LIMIT_OPTIONS.receiveMaximum,
  topicAliasMaximum: LIMIT_OPTIONS.topicAliasMaximum,
  publishRate: LIMIT_OPTIONS.publishRate,
  publishByteRate: LIMIT_OPTIONS.publishByteRate,
};
