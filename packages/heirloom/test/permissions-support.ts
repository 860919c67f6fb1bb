// What the tests of permissions share: clients to judge, rules in short form.

import { NO_CLAIMS, type ClientInfo } from "@heirloom/core";
import type { Finding } from "../dist/config/findings.js";
import type { RuleOptions } from "heirloom";
import { readRules } from "../dist/permissions/rule-options.js";
import { RuleSet } from "../dist/permissions/rules.js";

/** A client that showed who it is when it has a user name. */
export function someone(fields: Partial<ClientInfo> = {}): ClientInfo {
  return {
    clientId: "c",
    username: undefined,
    protocolVersion: 5,
    remoteAddress: "192.0.2.1:50000",
    listener: "tcp",
    account: fields.username,
    claims: NO_CLAIMS,
    certificate: undefined,
    ...fields,
  };
}

export function ruleSet(...rules: readonly RuleOptions[]): RuleSet {
  const findings: Finding[] = [];
  const read = readRules(rules, [], findings);
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
  return new RuleSet([read], { subscribeNeeds: "cover" });
}
