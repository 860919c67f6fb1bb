// Makes the sources of permissions: reads their files, all or none.

import { readFile } from "node:fs/promises";
import { throwFindings, type Finding } from "../config/findings.ts";
import { readYaml } from "../config/yaml.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { readAclFile } from "./acl-file.ts";
import { PermissionChain } from "./chain.ts";
import { CheckSource } from "./check.ts";
import { ClaimsSource } from "./claims.ts";
import type { Rule } from "./rule.ts";
import { readRules } from "./rule-options.ts";
import { RuleSet } from "./rules.ts";
import type { PermissionSettings } from "./settings.ts";
import type { Source } from "./verdict.ts";

/**
 * Opens all sources. The result reads them anew when it is told to.
 *
 * @throws ConfigError when a file cannot be read or is wrong.
 */
export function openPermissions(settings: readonly PermissionSettings[]): Promise<PermissionChain> {
  return PermissionChain.open(() => readSources(settings));
}

/** Makes the sources, with what stands in their files now. @throws ConfigError */
export function readSources(settings: readonly PermissionSettings[]): Promise<readonly Source[]> {
  return Promise.all(settings.map(openSource));
}

async function openSource(settings: PermissionSettings): Promise<Source> {
  switch (settings.kind) {
    case "aclFile":
      return readAclFile(await textOf(settings.file), settings.file);
    case "rulesFile":
      return ruleSet(readRulesFile(await textOf(settings.file), settings.file));
    case "rules":
      return ruleSet(settings.rules);
    case "claims":
      return new ClaimsSource(settings.claims);
    case "webhook": {
      const { makeWebhook } = await import("./make-webhook.ts");
      return makeWebhook(settings.webhook);
    }
    case "check":
      return new CheckSource(settings.check);
  }
}

function ruleSet(rules: readonly Rule[]): RuleSet {
  return new RuleSet([rules], { subscribeNeeds: "cover" });
}

/** Reads a file of rules: a list, or a list under the name `rules`. An empty file allows nothing. */
export function readRulesFile(text: string, file: string): readonly Rule[] {
  const { root, locate } = readYaml(text, file);
  const findings: Finding[] = [];
  const isNamed = root instanceof Map && root.size === 1 && root.has("rules");
  const list: unknown = isNamed ? root.get("rules") : root;
  const rules = readRules(list ?? [], isNamed ? ["rules"] : [], findings);
  throwFindings(findings, file, locate);
  return rules;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new ConfigError([{ option: "", message: `cannot be read: ${messageOf(error)}` }], file);
  }
}
