// From the option `permissions` to what the sources are made of: checks everything that can be checked without reading a
// file or asking anybody.

import { listed } from "../config/kinds.ts";
import { seen, type Finding, type OptionPath } from "../config/findings.ts";
import { OptionReader } from "./option-reader.ts";
import type { ClaimsPermissionOptions, PermissionCheck, PermissionOptions } from "./options.ts";
import type { Rule } from "./rule.ts";
import { readRules } from "./rule-options.ts";

/** One source, with nothing left open. */
export type PermissionSettings =
  | { readonly kind: "aclFile"; readonly file: string }
  | { readonly kind: "rulesFile"; readonly file: string }
  | { readonly kind: "rules"; readonly rules: readonly Rule[] }
  | { readonly kind: "claims"; readonly claims: ClaimsPermissionOptions }
  | { readonly kind: "check"; readonly check: PermissionCheck };

const KINDS = ["aclFile", "rules", "rulesFile", "claims"];

/**
 * Reads the list of sources, of a program or of a file.
 *
 * @param findings gets everything that is wrong; the result is of use only when nothing was added.
 */
export function readPermissions(value: unknown, findings: Finding[]): readonly PermissionSettings[] {
  const path = ["permissions"];
  if (!Array.isArray(value) || value.length === 0) {
    findings.push({ path, message: `seen ${seen(value)}, expected a list with some of ${listed(KINDS)}` });
    return [];
  }
  return value.flatMap((item: unknown, index) => readSource(item, [...path, index], findings) ?? []);
}

/** Whether a list can be given as the option `permissions`. Otherwise `findings` say why. */
export function isPermissions(value: unknown, findings: Finding[]): value is readonly PermissionOptions[] {
  const before = findings.length;
  readPermissions(value, findings);
  return findings.length === before;
}

function readSource(value: unknown, path: OptionPath, findings: Finding[]): PermissionSettings | undefined {
  if (isCheck(value)) return { kind: "check", check: value };
  const reader = OptionReader.of(value, path, findings, KINDS);
  if (reader === undefined) return undefined;
  if (reader.names.length !== 1) {
    reader.fault(`expected exactly one of ${listed(KINDS)}`);
    return undefined;
  }
  switch (reader.names[0]) {
    case "aclFile":
    case "rulesFile":
      return readFileName(reader, reader.names[0]);
    case "rules":
      return { kind: "rules", rules: readRules(reader.raw("rules"), [...path, "rules"], findings) };
    case "claims":
      return readClaims(reader);
    default:
      return undefined;
  }
}

function isCheck(value: unknown): value is PermissionCheck {
  return typeof value === "function";
}

function readFileName(reader: OptionReader, kind: "aclFile" | "rulesFile"): PermissionSettings | undefined {
  const file = reader.text(kind);
  return file === undefined ? undefined : { kind, file };
}

function readClaims(reader: OptionReader): PermissionSettings | undefined {
  const path = [...reader.path, "claims"];
  const inner = OptionReader.of(reader.raw("claims"), path, reader.findings, ["publish", "subscribe"]);
  if (inner === undefined) return undefined;
  const publish = inner.text("publish");
  const subscribe = inner.text("subscribe");
  if (inner.names.length === 0) inner.fault("expected `publish`, `subscribe` or both");
  return {
    kind: "claims",
    claims: {
      ...(publish === undefined ? {} : { publish }),
      ...(subscribe === undefined ? {} : { subscribe }),
    },
  };
}
