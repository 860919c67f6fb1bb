// What the doctor has to know beside the configuration: this process, and the files that the configuration names.

import { stat } from "node:fs/promises";
import type { Settings } from "../config/settings.ts";
import { isPemText } from "../config/tls-options.ts";
import { readPasswordFile } from "../identity/password-file.ts";
import { coreDumpLimit, openFilesLimit } from "../process-limits.ts";
import { tryFiles, type CertificateDates } from "./try-files.ts";

export interface FileFacts {
  readonly file: string;
  /** What it is for: decides how bad it is when others can read it. */
  readonly holds: "secrets" | "configuration" | "messages";
  /** Its permission bits; `undefined` when it is not there. */
  readonly mode: number | undefined;
}

export interface Facts {
  readonly isRoot: boolean;
  /** How many files this process may have open; `undefined` where that cannot be told. */
  readonly openFiles: number | undefined;
  /** How large a core dump may become; `undefined` where that cannot be told. */
  readonly coreDumpBytes: number | undefined;
  readonly files: readonly FileFacts[];
  /** Certificates that are not valid now, or not for long. */
  readonly certificateDates: readonly CertificateDates[];
  /** Users of password files whose hash is weak, by file. */
  readonly weakHashes: readonly { readonly file: string; readonly users: number }[];
}

/** One SHA-512, made by Mosquitto before 2.0. */
const WEAK_HASH = "$6$";
const PERMISSIONS = 0o777;

/** @throws ConfigError when a file is wrong that the server reads at its start. */
export async function gatherFacts(settings: Settings, configFile: string | undefined): Promise<Facts> {
  const files = [
    ...secretFiles(settings).map((file) => ({ file, holds: "secrets" }) as const),
    ...[...(configFile === undefined ? [] : [configFile]), ...publicFiles(settings)].map(
      (file) => ({ file, holds: "configuration" }) as const,
    ),
    ...(settings.store === "memory" ? [] : [{ file: settings.data, holds: "messages" } as const]),
  ];
  const certificateDates = await tryFiles(settings);
  const weak = passwordFiles(settings).map(async (file) => {
    const { hashes } = await readPasswordFile(file);
    return { file, users: hashes.filter(({ text }) => text.startsWith(WEAK_HASH)).length };
  });
  return {
    isRoot: process.getuid?.() === 0,
    openFiles: openFilesLimit(),
    coreDumpBytes: coreDumpLimit(),
    files: await Promise.all(files.map(async (entry) => ({ ...entry, mode: await modeOf(entry.file) }))),
    certificateDates,
    weakHashes: (await Promise.all(weak)).filter(({ users }) => users > 0),
  };
}

function passwordFiles({ authentication }: Settings): string[] {
  const files = authentication.flatMap((item) => {
    if (typeof item === "function") return [];
    if ("passwordFile" in item) return [item.passwordFile];
    return "scram" in item ? [item.scram.passwordFile] : [];
  });
  return [...new Set(files)];
}

/** Files with passwords, keys and tokens. */
function secretFiles(settings: Settings): string[] {
  const files = passwordFiles(settings);
  for (const item of settings.authentication) {
    if (typeof item === "function") continue;
    if ("jwt" in item && item.jwt.secretFile !== undefined) files.push(item.jwt.secretFile);
    if ("webhook" in item && item.webhook.bearerTokenFile !== undefined)
      files.push(item.webhook.bearerTokenFile);
  }
  for (const { tls } of settings.listeners) {
    if (tls === undefined) continue;
    for (const { key, keyPassphraseFile } of [tls, ...(tls.serverNames ?? [])]) {
      if (typeof key === "string" && !key.includes("-----BEGIN")) files.push(key);
      if (keyPassphraseFile !== undefined) files.push(keyPassphraseFile);
    }
  }
  return [...new Set(files)];
}

/** Files that anyone may read, and nobody else may change: rules, certificates, keys of those who make tokens. */
function publicFiles({ permissions = [], authentication, listeners }: Settings): string[] {
  const files: (string | undefined)[] = permissions.map((source) =>
    "file" in source ? source.file : undefined,
  );
  for (const item of authentication) {
    if (typeof item === "function") continue;
    if ("jwt" in item) files.push(item.jwt.jwksFile, item.jwt.publicKeyFile, item.jwt.caFile);
    if ("webhook" in item) files.push(item.webhook.caFile);
  }
  for (const { tls } of listeners) {
    for (const source of [tls?.ca, tls?.crl, tls?.certificate]) {
      if (source !== undefined && !isPemText(source)) files.push(String(source));
    }
  }
  return [...new Set(files.filter((file) => file !== undefined))];
}

async function modeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mode & PERMISSIONS;
  } catch {
    return undefined;
  }
}
