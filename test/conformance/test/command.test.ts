// The command as a user runs it: what it prints, and its exit codes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

async function runMain(
  ...args: readonly string[]
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

test("prints what failed, a table with a row for each version, and the sum", async () => {
  const server = createServer((socket) => void socket.on("error", () => undefined).end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const { code, stdout } = await runMain(
    ...["--port", String(address.port), "--only", "PINGREQ is answered by PINGRESP"],
  );
  server.close();
  assert.equal(code, 1);
  assert.match(stdout, /^FAIL 5\.0 /m);
  assert.match(stdout, /version +passed +failed +skipped\n/);
  for (const version of ["3\\.1", "3\\.1\\.1", "5\\.0"])
    assert.match(stdout, new RegExp(`^ +${version} +0 +1 +0$`, "m"));
  assert.match(stdout, /\n0 passed, 3 failed, 0 skipped\n$/);
});

test("says in one line that nobody listens, and ends with 69", async () => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  await new Promise((closed) => server.close(closed));
  const { code, stdout, stderr } = await runMain("--port", String(address.port));
  assert.equal(code, 69);
  assert.equal(stdout, "");
  assert.match(stderr, /^no broker at 127\.0\.0\.1:\d+: connect ECONNREFUSED .*\n$/);
});
