// The reference matcher that deliveries are compared with. Examples of 5.0 section 4.7.
import assert from "node:assert/strict";
import { test } from "node:test";
import { matches } from "@heirloom/conformance";

const examples = [
  ["sport/tennis/player1/#", "sport/tennis/player1", true],
  ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
  ["sport/#", "sport", true],
  ["#", "a/b", true],
  ["sport/tennis/+", "sport/tennis/player1", true],
  ["sport/tennis/+", "sport/tennis/player1/ranking", false],
  ["sport/+", "sport", false],
  ["sport/+", "sport/", true],
  ["+/+", "/finance", true],
  ["/+", "/finance", true],
  ["+", "/finance", false],
  ["#", "$SYS/x", false],
  ["+/monitor/Clients", "$SYS/monitor/Clients", false],
  ["$SYS/#", "$SYS/x", true],
  ["$SYS/monitor/+", "$SYS/monitor/Clients", true],
  ["ACCOUNTS", "Accounts", false],
] as const;

for (const [filter, topic, expected] of examples) {
  test(`${filter} ${expected ? "matches" : "does not match"} ${topic} - 5.0 [MQTT-4.7.3-4]`, () => {
    assert.equal(matches(filter, topic), expected);
  });
}
