// A new user: a fresh clone in an empty folder, `npm start`, and the broker killed at once. Needs git, and npm's registry or
// its cache.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import {
  acknowledgedMessagesStay,
  delayedWillsStay,
  receivingQoS2Resumes,
  sendingQoS2Resumes,
} from "./src/stories.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
/** The first start installs and builds. */
const FIRST_START_LIMIT_MS = 300_000;

test(
  "a fresh clone starts with `npm start` and keeps everything over kill -9",
  { skip: whyNot() },
  async (t) => {
    const clone = join(await directoryFor(t, "new-user"), "heirloom");
    run("git", ["clone", "--quiet", REPOSITORY, clone]);
    let latest: ServerProcess | undefined;
    t.after(() => latest?.kill());
    const start = async (): Promise<ServerProcess> =>
      (latest = await ServerProcess.start({
        command: ["npm", "start", "--"],
        cwd: clone,
        env: { npm_config_prefer_offline: "true" },
        startLimitMs: FIRST_START_LIMIT_MS,
      }));
    await acknowledgedMessagesStay(start);
    await delayedWillsStay(start);
    await receivingQoS2Resumes(start);
    await sendingQoS2Resumes(start);
  },
);

/** Why the test cannot run here. In CI it has to. */
function whyNot(): string | false {
  if (process.env["CI"] === "true") return false;
  if (spawnSync("git", ["--version"]).status !== 0) return "git is not installed";
  const { status } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: REPOSITORY });
  return status === 0 ? false : "this is no clone with a commit";
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${stderr}`);
}
