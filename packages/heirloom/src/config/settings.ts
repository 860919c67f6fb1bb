// From options to settings: fills in the defaults and checks what belongs together. Reads no file.

import type { Limits } from "@heirloom/core";
import { DEFAULT_LOGIN_LIMITS, type Authentication, type LoginLimits } from "../identity/options.ts";
import { isLoopback } from "../loopback.ts";
import { serverLimits } from "./server-limits.ts";
import {
  ADMISSION_OPTIONS,
  admissionOptionsOf,
  resolveAdmission,
  type AdmissionLimits,
  type AdmissionOptions,
} from "./admission-options.ts";
import { checkAuthentication } from "./authentication.ts";
import { LOGIN_LIMIT_OPTIONS } from "./authentication-tables.ts";
import { checkFields } from "./fields.ts";
import { seen, type Finding } from "./findings.ts";
import type { ListenerOptions } from "./listener-options.ts";
import { resolveListener, type ListenerSettings } from "./listener-settings.ts";
import {
  DEFAULT_DATA_DIRECTORY,
  DEFAULT_PURGE_INTERVAL,
  GENERAL_OPTIONS,
  LIMIT_OPTIONS,
  type GeneralOptions,
} from "./options.ts";
import type { PermissionOptions } from "../permissions/options.ts";
import { readPermissions, type PermissionSettings, type ReadPermissions } from "../permissions/settings.ts";

/** All options, as a program or a file gives them. What is absent has its default. */
export interface ServerOptions extends GeneralOptions, AdmissionOptions {
  readonly listeners?: readonly ListenerOptions[];
  readonly limits?: Partial<Limits>;
  /** Who may use which topics: the first source that says something decides. Default: everybody all topics. */
  readonly permissions?: readonly PermissionOptions[] | ReadPermissions;
  /** How clients show who they are, in the order in which they are asked. In a program, functions too. */
  readonly authentication?: readonly Authentication[];
  /** What logging in may cost, and what guessing leads to. */
  readonly loginLimits?: Partial<LoginLimits>;
}

/** A server with nothing left open. */
export interface Settings {
  readonly listeners: readonly ListenerSettings[];
  readonly store: "leveldb" | "memory";
  readonly data: string;
  /** Seconds; Infinity = never. */
  readonly purgeInterval: number;
  readonly allowAnonymous: boolean;
  readonly limits: Limits;
  readonly admission: AdmissionLimits;
  /** Absent = everything is allowed. */
  readonly permissions: readonly PermissionSettings[] | undefined;
  /** Empty = nobody asks who clients are, but perhaps a hook. */
  readonly authentication: readonly Authentication[];
  readonly loginLimits: LoginLimits;
}

/**
 * Fills in defaults and checks.
 *
 * @param identifies whether something is there that tells who a client is, such as a `connect` hook.
 * @param findings gets everything that is wrong; the result is of use only when nothing was added.
 */
export function resolveSettings(options: ServerOptions, identifies: boolean, findings: Finding[]): Settings {
  const limits = { ...serverLimits(), ...options.limits };
  const { purgeInterval = DEFAULT_PURGE_INTERVAL } = options;
  checkFields({ purgeInterval }, { purgeInterval: GENERAL_OPTIONS.purgeInterval }, [], findings);
  checkFields(options.limits ?? {}, LIMIT_OPTIONS, ["limits"], findings);
  checkFields(admissionOptionsOf(options), ADMISSION_OPTIONS, [], findings);
  const admission = resolveAdmission(options);
  const { authentication = [] } = options;
  const isKnown = identifies || authentication.length > 0;
  checkAuthentication(authentication, findings);
  checkFields(options.loginLimits ?? {}, LOGIN_LIMIT_OPTIONS, ["loginLimits"], findings);
  // Whoever says how clients show who they are, wants to know it of all of them.
  const allowAnonymous = options.allowAnonymous ?? authentication.length === 0;
  const settings: Settings = {
    listeners: (options.listeners ?? [{}]).map((listener, index, all) =>
      resolveListener(
        listener,
        { index, several: all.length > 1, allowAnonymous, limits, admission },
        findings,
      ),
    ),
    store: options.store ?? "leveldb",
    data: options.data ?? DEFAULT_DATA_DIRECTORY,
    purgeInterval,
    allowAnonymous,
    limits,
    admission,
    permissions:
      options.permissions === undefined ? undefined : readPermissions(options.permissions, findings),
    authentication,
    loginLimits: { ...DEFAULT_LOGIN_LIMITS, ...options.loginLimits },
  };
  checkIdentity(options, settings, isKnown, findings);
  if (!isKnown) checkOpenListeners(options, findings);
  checkNames(settings.listeners, findings);
  return settings;
}

// Refusing everybody in silence would be a broker that nobody can use; whoever turns anonymous clients off means others.
function checkIdentity(
  options: ServerOptions,
  settings: Settings,
  identifies: boolean,
  findings: Finding[],
): void {
  if (identifies) return;
  const message =
    "seen false, but nothing here can tell who a client is, so nobody could connect; " +
    "expected true, or `authentication`, or in a program a `connect` hook";
  if (options.allowAnonymous === false) {
    findings.push({ path: ["allowAnonymous"], message });
    return;
  }
  settings.listeners.forEach((listener, index) => {
    if (!listener.allowAnonymous) findings.push({ path: ["listeners", index, "allowAnonymous"], message });
  });
}

/** Anyone who can reach it may do anything: that has to be said, it does not happen by leaving something out. */
function checkOpenListeners(options: ServerOptions, findings: Finding[]): void {
  (options.listeners ?? []).forEach(({ host, allowAnonymous }, index) => {
    if (host === undefined || typeof host !== "string" || isLoopback(host)) return;
    if ((allowAnonymous ?? options.allowAnonymous) !== undefined) return;
    findings.push({
      path: ["listeners", index, "host"],
      message:
        `seen ${seen(host)}, which other machines can reach, but nothing here can tell who a client is; ` +
        "expected `authentication`, or `allowAnonymous: true` to let anyone in",
    });
  });
}

function checkNames(listeners: readonly ListenerSettings[], findings: Finding[]): void {
  const names = new Set<string>();
  listeners.forEach(({ name }, index) => {
    if (names.has(name)) {
      findings.push({
        path: ["listeners", index, "name"],
        message: `seen ${seen(name)} twice, expected unique names`,
      });
    }
    names.add(name);
  });
}
