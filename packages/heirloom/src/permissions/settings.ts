// From the option `permissions` to what the sources are made of: checks everything that can be checked without reading a
// file or asking anybody.

import { resolve } from "node:path";
import { checkFields, namesOf, readFields, reportUnknown } from "../config/fields.ts";
import { seen, type Finding, type OptionPath } from "../config/findings.ts";
import { listed } from "../config/kinds.ts";
import { WEBHOOK_PERMISSION_OPTIONS } from "../config/permission-tables.ts";
import { urlFault } from "../identity/url.ts";
import { groupOf, OptionReader } from "./option-reader.ts";
import type {
  ClaimsPermissionOptions,
  PermissionCheck,
  PermissionOptions,
  WebhookPermissionOptions,
} from "./options.ts";
import type { Rule } from "./rule.ts";
import { readRules } from "./rule-options.ts";

/** One source, with nothing left open. */
export type PermissionSettings =
  | { readonly kind: "aclFile"; readonly file: string }
  | { readonly kind: "rulesFile"; readonly file: string }
  | { readonly kind: "rules"; readonly rules: readonly Rule[] }
  | { readonly kind: "claims"; readonly claims: ClaimsPermissionOptions }
  | { readonly kind: "webhook"; readonly webhook: WebhookPermissionOptions }
  | { readonly kind: "check"; readonly check: PermissionCheck };

const KINDS = ["aclFile", "rules", "rulesFile", "claims", "webhook"];

/** Sources that were read from a file already. */
export class ReadPermissions {
  readonly settings: readonly PermissionSettings[];

  constructor(settings: readonly PermissionSettings[]) {
    this.settings = settings;
  }
}

/**
 * Reads the list of sources that a program gave.
 *
 * @param findings gets everything that is wrong; the result is of use only when nothing was added.
 */
export function readPermissions(
  value: readonly PermissionOptions[] | ReadPermissions,
  findings: Finding[],
): readonly PermissionSettings[] {
  if (value instanceof ReadPermissions) return value.settings;
  return readList(value, undefined, findings);
}

/** The same of a file. Relative paths begin at its directory. */
export function readPermissionsOfFile(
  value: unknown,
  directory: string,
  findings: Finding[],
): ReadPermissions {
  return new ReadPermissions(readList(value, directory, findings));
}

/** @param directory of the file; absent for a program. */
function readList(
  value: unknown,
  directory: string | undefined,
  findings: Finding[],
): readonly PermissionSettings[] {
  const path = ["permissions"];
  if (!Array.isArray(value) || value.length === 0) {
    findings.push({ path, message: `seen ${seen(value)}, expected a list with some of ${listed(KINDS)}` });
    return [];
  }
  return value.flatMap(
    (item: unknown, index) => readSource(item, [...path, index], directory, findings) ?? [],
  );
}

function readSource(
  value: unknown,
  path: OptionPath,
  directory: string | undefined,
  findings: Finding[],
): PermissionSettings | undefined {
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
      return readFileName(reader, reader.names[0], directory);
    case "rules":
      return { kind: "rules", rules: readRules(reader.raw("rules"), [...path, "rules"], findings) };
    case "claims":
      return readClaims(reader);
    case "webhook":
      return readWebhook(reader, directory);
    default:
      return undefined;
  }
}

function isCheck(value: unknown): value is PermissionCheck {
  return typeof value === "function";
}

function readFileName(
  reader: OptionReader,
  kind: "aclFile" | "rulesFile",
  directory: string | undefined,
): PermissionSettings | undefined {
  const file = reader.text(kind);
  return file === undefined ? undefined : { kind, file: besideFile(file, directory) };
}

function besideFile(path: string, directory: string | undefined): string {
  return directory === undefined ? path : resolve(directory, path);
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

function readWebhook(reader: OptionReader, directory: string | undefined): PermissionSettings | undefined {
  const path = [...reader.path, "webhook"];
  const raw = reader.raw("webhook");
  const values = groupOf(raw);
  if (typeof raw !== "object" || raw === null || values === undefined) {
    reader.refuse("webhook", "a group of options");
    return undefined;
  }
  const webhook =
    directory === undefined
      ? webhookOfProgram(raw, path, reader.findings)
      : webhookOfFile(values, path, directory, reader.findings);
  if (webhook === undefined) return undefined;
  const fault = urlFault(webhook.url);
  if (fault === undefined) return { kind: "webhook", webhook };
  // Without the URL itself: it may hold a password.
  reader.fault(`seen ${fault}, expected a URL with https:, or with http: of this machine`, "webhook", "url");
  return undefined;
}

/** In a program the options have the names of the fields, and no units. */
function webhookOfProgram(
  raw: object,
  path: OptionPath,
  findings: Finding[],
): WebhookPermissionOptions | undefined {
  const isFitting = (values: object): values is Partial<WebhookPermissionOptions> => {
    const before = findings.length;
    checkFields<WebhookPermissionOptions>(values, WEBHOOK_PERMISSION_OPTIONS, path, findings);
    return findings.length === before;
  };
  return isFitting(raw) ? { url: "", ...raw } : undefined;
}

function webhookOfFile(
  values: ReadonlyMap<string, unknown>,
  path: OptionPath,
  directory: string,
  findings: Finding[],
): WebhookPermissionOptions {
  reportUnknown(values, namesOf(WEBHOOK_PERMISSION_OPTIONS), path, findings);
  const fields = readFields(values, WEBHOOK_PERMISSION_OPTIONS, path, findings);
  const { bearerTokenFile, caFile } = fields;
  return {
    url: "",
    ...fields,
    ...(bearerTokenFile === undefined ? {} : { bearerTokenFile: resolve(directory, bearerTokenFile) }),
    ...(caFile === undefined ? {} : { caFile: resolve(directory, caFile) }),
  };
}
