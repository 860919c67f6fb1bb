// The options `authentication` and `loginLimits`: how they are read from a file, and what is checked of those that a program
// gives. Their tables stand in authentication-tables.ts.

import { dirname, resolve } from "node:path";
import type { Authentication, AuthenticatorOptions, JwtFields, LoginLimits } from "../identity/options.ts";
import { urlFault } from "../identity/url.ts";
import {
  CERTIFICATE_OPTIONS,
  JWT_OPTIONS,
  LOGIN_LIMIT_OPTIONS,
  SCRAM_OPTIONS,
  WEBHOOK_OPTIONS,
} from "./authentication-tables.ts";
import { checkFields, namesOf, readFields, reportUnknown } from "./fields.ts";
import { seen, unknownOption, type Finding, type OptionPath } from "./findings.ts";
import { text } from "./kinds.ts";
import type { OptionTable } from "./option.ts";

/** The kinds of authenticators, by the one name that an item of the list has. */
const KINDS = ["passwordFile", "certificate", "jwt", "webhook", "scram"] as const;

/** Reads `authentication` of a file. Paths begin at the directory of the file. */
export function readAuthentication(
  value: unknown,
  file: string,
  findings: Finding[],
): AuthenticatorOptions[] {
  if (!Array.isArray(value) || value.length === 0) {
    findings.push({ path: ["authentication"], message: `seen ${seen(value)}, expected a list` });
    return [];
  }
  return value.flatMap((item: unknown, index) => {
    const options = readItem(item, ["authentication", index], findings);
    return options === undefined ? [] : [withDirectory(options, dirname(file))];
  });
}

/** Reads `loginLimits` of a file. */
export function readLoginLimits(value: unknown, findings: Finding[]): Partial<LoginLimits> {
  const path = ["loginLimits"];
  if (!(value instanceof Map)) {
    findings.push({ path, message: `seen ${seen(value)}, expected a group of options` });
    return {};
  }
  reportUnknown(value, namesOf(LOGIN_LIMIT_OPTIONS), path, findings);
  return readFields(value, LOGIN_LIMIT_OPTIONS, path, findings);
}

/** Checks what a program or a file gave. */
export function checkAuthentication(list: readonly Authentication[], findings: Finding[]): void {
  list.forEach((item, index) => {
    if (typeof item === "function") return;
    const path = ["authentication", index];
    const kind = kindOf(Object.keys(item), path, findings);
    if (kind !== undefined) checkItem(item, path, findings);
  });
}

function readItem(item: unknown, path: OptionPath, findings: Finding[]): AuthenticatorOptions | undefined {
  if (!(item instanceof Map)) {
    findings.push({ path, message: `seen ${seen(item)}, expected one of ${KINDS.join(", ")}` });
    return undefined;
  }
  const kind = kindOf([...item.keys()].map(String), path, findings);
  if (kind === undefined) return undefined;
  const value: unknown = item.get(kind);
  const inside = [...path, kind];
  if (kind === "passwordFile") {
    if (typeof value === "string" && value !== "") return { passwordFile: value };
    findings.push({ path: inside, message: `seen ${seen(value)}, expected a text` });
    return undefined;
  }
  if (!(value instanceof Map)) {
    findings.push({ path: inside, message: `seen ${seen(value)}, expected a group of options` });
    return undefined;
  }
  return readGroup(kind, value, inside, findings);
}

function readGroup(
  kind: Exclude<(typeof KINDS)[number], "passwordFile">,
  values: ReadonlyMap<unknown, unknown>,
  path: OptionPath,
  findings: Finding[],
): AuthenticatorOptions {
  const read = <T>(table: OptionTable<T>): Partial<T> => {
    reportUnknown(values, namesOf(table), path, findings);
    return readFields(values, table, path, findings);
  };
  switch (kind) {
    case "certificate":
      return { certificate: read(CERTIFICATE_OPTIONS) };
    case "jwt":
      return { jwt: read(JWT_OPTIONS) };
    // What is missing is found by the check.
    case "webhook":
      return { webhook: { url: "", ...read(WEBHOOK_OPTIONS) } };
    case "scram":
      return { scram: { passwordFile: "", ...read(SCRAM_OPTIONS) } };
  }
}

/** The one name that an item has. */
function kindOf(
  names: readonly string[],
  path: OptionPath,
  findings: Finding[],
): (typeof KINDS)[number] | undefined {
  const kinds = KINDS.filter((kind) => names.includes(kind));
  for (const name of names) {
    if (KINDS.some((kind) => kind === name)) continue;
    findings.push({ path: [...path, name], message: unknownOption(name, KINDS) });
  }
  if (kinds.length === 1) return kinds[0];
  const saw = kinds.length === 0 ? "none" : `${kinds.join(" and ")} in one item`;
  findings.push({ path, message: `seen ${saw}, expected one of ${KINDS.join(", ")}` });
  return undefined;
}

function checkItem(item: AuthenticatorOptions, path: OptionPath, findings: Finding[]): void {
  if ("passwordFile" in item) {
    if (text.accepts(item.passwordFile)) return;
    findings.push({
      path: [...path, "passwordFile"],
      message: `seen ${seen(item.passwordFile)}, expected a text`,
    });
  } else if ("certificate" in item) {
    checkFields(item.certificate, CERTIFICATE_OPTIONS, [...path, "certificate"], findings);
  } else if ("jwt" in item) {
    checkJwt(item.jwt, [...path, "jwt"], findings);
  } else if ("webhook" in item) {
    checkFields(item.webhook, WEBHOOK_OPTIONS, [...path, "webhook"], findings);
    checkUrl(item.webhook.url, [...path, "webhook", "url"], findings);
  } else {
    checkFields(item.scram, SCRAM_OPTIONS, [...path, "scram"], findings);
  }
}

function checkJwt(fields: JwtFields, path: OptionPath, findings: Finding[]): void {
  checkFields(fields, JWT_OPTIONS, path, findings);
  const places = ["jwksFile", "jwksUrl", "publicKeyFile", "secretFile"] as const;
  const given = places.filter((place) => fields[place] !== undefined);
  if (given.length !== 1) {
    const saw = given.length === 0 ? "none" : given.join(" and ");
    findings.push({ path, message: `seen ${saw}, expected one of ${places.join(", ")}` });
  }
  if (fields.jwksUrl !== undefined) checkUrl(fields.jwksUrl, [...path, "jwksUrl"], findings);
  const isSecret = fields.secretFile !== undefined;
  const wrong = fields.algorithms?.find((name) => name.startsWith("HS") !== isSecret);
  if (wrong !== undefined) {
    const expected = isSecret ? "HS256, HS384 or HS512" : "those of public keys";
    const message = `seen ${wrong}, expected ${expected}`;
    findings.push({ path: [...path, "algorithms"], message });
  }
}

/** Without the URL itself in the message: it may hold a password. */
function checkUrl(url: string, path: OptionPath, findings: Finding[]): void {
  const fault = urlFault(url);
  if (fault === undefined) return;
  findings.push({
    path,
    message: `seen ${fault}, expected a URL with https:, or with http: of this machine`,
  });
}

/** Relative paths begin at the directory of the configuration file. */
function withDirectory(options: AuthenticatorOptions, directory: string): AuthenticatorOptions {
  if ("passwordFile" in options) return { passwordFile: resolve(directory, options.passwordFile) };
  if ("scram" in options) return { scram: resolved(options.scram, ["passwordFile"], directory) };
  if ("jwt" in options) {
    const paths = ["jwksFile", "publicKeyFile", "secretFile", "caFile"] as const;
    return { jwt: resolved(options.jwt, paths, directory) };
  }
  if ("webhook" in options) {
    return { webhook: resolved(options.webhook, ["bearerTokenFile", "caFile"], directory) };
  }
  return options;
}

function resolved<Fields extends object>(
  fields: Fields,
  names: readonly (keyof Fields & string)[],
  directory: string,
): Fields {
  const result = { ...fields };
  for (const name of names) {
    const value: unknown = fields[name];
    if (typeof value === "string" && value !== "")
      Object.assign(result, { [name]: resolve(directory, value) });
  }
  return result;
}
