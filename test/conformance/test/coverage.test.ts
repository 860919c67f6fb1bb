// Every statement that binds a server, and every hard case, has a case.
import assert from "node:assert/strict";
import { test } from "node:test";
import { markdown, problems, readSpec } from "@heirloom/conformance";

test("each statement and each hard case has a case or a reason, and each case names statements that exist", async () => {
  assert.deepEqual(problems(await readSpec()), []);
});

test("a statement without a case and an unknown hard case are noticed", async () => {
  const spec = await readSpec();
  const more = { id: "5.0 [MQTT-9.9.9-9]", side: "server", text: "Nobody shows this." };
  const found = problems({
    ...spec,
    statements: [...spec.statements, more],
    hard: new Map([["none/1", "Nor this."]]),
  });
  assert.ok(found.includes("no case: 5.0 [MQTT-9.9.9-9] Nobody shows this."));
  assert.ok(found.includes("no case for hard case none/1: Nor this."));
  assert.ok(found.includes("unknown hard case: connecting/1"));
});

test("the table has a row for each statement and each hard case", async () => {
  const spec = await readSpec();
  const lines = markdown(spec).split("\n");
  for (const { id } of spec.statements)
    assert.ok(
      lines.some((line) => line.startsWith(`| ${id} | `)),
      id,
    );
  for (const tag of spec.hard.keys())
    assert.ok(
      lines.some((line) => line.startsWith(`| ${tag} | `)),
      tag,
    );
});
