// From the options of one listener to its settings: fills in the defaults and checks what belongs together.

import type { Limits } from "@heirloom/core";
import { hasAdmission, resolveAdmission, type AdmissionLimits } from "./admission-options.ts";
import { checkFields } from "./fields.ts";
import { seen, type Finding, type OptionPath } from "./findings.ts";
import {
  DEFAULT_PORTS,
  DEFAULT_SOCKET_MODE,
  DEFAULT_TLS_PORTS,
  LISTENER_LIMIT_OPTIONS,
  LISTENER_OPTIONS,
  type ListenerLimits,
  type ListenerOptions,
  type ProxyProtocolOptions,
} from "./listener-options.ts";
import type { TlsOptions } from "./tls-options.ts";

/** One listener with nothing left open. */
export interface ListenerSettings {
  readonly name: string;
  readonly transport: "tcp" | "websocket";
  /** Absent = all addresses. */
  readonly host: string | undefined;
  readonly port: number;
  /** The path of a Unix socket, which then stands for host and port, and its mode. */
  readonly socket: { readonly path: string; readonly mode: number } | undefined;
  readonly tls: TlsOptions | undefined;
  readonly proxyProtocol: ProxyProtocolOptions | undefined;
  readonly path: string | undefined;
  readonly allowedOrigins: readonly string[] | undefined;
  readonly trustedProxies: readonly string[];
  /** Put before all topics; "" = nothing. */
  readonly mountPoint: string;
  readonly allowAnonymous: boolean;
  readonly connections: number | undefined;
  /** Absent = the broker's, counted together with other listeners. */
  readonly admission: AdmissionLimits | undefined;
  /** Milliseconds from accepting a connection to a whole CONNECT: TLS and all else before CONNECT included. */
  readonly connectTimeoutMs: number;
  /** Bytes that a client may send for its CONNECT. */
  readonly maximumConnectSize: number;
  /** Connections that are on their way in, at most. */
  readonly pendingConnections: number;
  /** The limits that hold here: the listener's own, otherwise the broker's; and those of all its clients together. */
  readonly limits: ListenerLimits & {
    readonly totalPublishRate: number;
    readonly totalPublishByteRate: number;
  };
}

/** What a listener takes from the broker. */
export interface ListenerContext {
  readonly index: number;
  readonly several: boolean;
  readonly allowAnonymous: boolean;
  readonly limits: Limits;
  readonly admission: AdmissionLimits;
}

/** @param findings gets everything that is wrong; the result is of use only when nothing was added. */
export function resolveListener(
  options: ListenerOptions,
  context: ListenerContext,
  findings: Finding[],
): ListenerSettings {
  const path = ["listeners", context.index];
  checkFields(options, { ...LISTENER_OPTIONS, ...LISTENER_LIMIT_OPTIONS }, path, findings);
  checkTogether(options, path, findings);
  if (options.tls !== undefined) checkTls(options.tls, [...path, "tls"], findings);
  const { transport = "tcp", tls, socket, socketMode = DEFAULT_SOCKET_MODE } = options;
  const allowAnonymous = options.allowAnonymous ?? context.allowAnonymous;
  return {
    name: options.name ?? (context.several ? `${transport}-${context.index + 1}` : transport),
    transport,
    host: options.host ?? (allowAnonymous ? "127.0.0.1" : undefined),
    port: options.port ?? (tls === undefined ? DEFAULT_PORTS : DEFAULT_TLS_PORTS)[transport],
    socket: socket === undefined ? undefined : { path: socket, mode: Number.parseInt(socketMode, 8) },
    tls,
    proxyProtocol: options.proxyProtocol,
    path: options.path,
    allowedOrigins: options.allowedOrigins?.map((origin) => origin.toLowerCase()),
    trustedProxies: options.trustedProxies ?? [],
    mountPoint: options.mountPoint ?? "",
    allowAnonymous,
    connections: options.connections,
    admission: hasAdmission(options) ? resolveAdmission(options, context.admission) : undefined,
    connectTimeoutMs: context.limits.connectTimeoutMs,
    maximumConnectSize: context.limits.maximumConnectSize,
    pendingConnections: context.limits.pendingConnections,
    limits: {
      maximumPacketSize: options.maximumPacketSize ?? context.limits.maximumPacketSize,
      keepAliveMaximum: options.keepAliveMaximum ?? context.limits.keepAliveMaximum,
      receiveMaximum: options.receiveMaximum ?? context.limits.receiveMaximum,
      topicAliasMaximum: options.topicAliasMaximum ?? context.limits.topicAliasMaximum,
      protocolVersions: options.protocolVersions ?? context.limits.protocolVersions,
      publishRate: options.publishRate ?? context.limits.publishRate,
      publishByteRate: options.publishByteRate ?? context.limits.publishByteRate,
      totalPublishRate: options.totalPublishRate ?? 0,
      totalPublishByteRate: options.totalPublishByteRate ?? 0,
    },
  };
}

/** Options that have no meaning beside, or without, another one. */
function checkTogether(options: ListenerOptions, path: OptionPath, findings: Finding[]): void {
  const refuse = (names: readonly (keyof ListenerOptions)[], message: string): void => {
    for (const name of names) {
      if (options[name] !== undefined) findings.push({ path: [...path, name], message });
    }
  };
  if (options.transport !== "websocket") {
    const names = ["path", "allowedOrigins", "trustedProxies"] as const;
    refuse(names, "only a listener with `transport: websocket` has this option");
  }
  if (options.socket === undefined) {
    refuse(["socketMode"], "only a listener with a `socket` has this option");
  } else {
    const names = ["host", "port", "tls", "proxyProtocol", "trustedProxies"] as const;
    refuse(names, "a listener with a `socket` does not have this option");
  }
  if (typeof options.path === "string" && !options.path.startsWith("/")) {
    findings.push({
      path: [...path, "path"],
      message: `seen ${seen(options.path)}, expected a path that begins with /`,
    });
  }
}

function checkTls(tls: TlsOptions, path: OptionPath, findings: Finding[]): void {
  const asksForCertificates = tls.clientCertificate !== undefined && tls.clientCertificate !== "none";
  if (asksForCertificates && tls.ca === undefined) {
    // Without it OpenSSL takes the system's authorities: anybody can have a certificate of one of those.
    const message = "seen nothing, expected the authorities that clients' certificates are from";
    findings.push({ path: [...path, "ca"], message });
  }
  if (!asksForCertificates) {
    for (const name of ["ca", "crl"] as const) {
      if (tls[name] === undefined) continue;
      const message = "is of no use without `clientCertificate: required` or `optional`";
      findings.push({ path: [...path, name], message });
    }
  }
}
