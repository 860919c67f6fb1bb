// Programs that some tests need and npm does not bring: other brokers, clients, a browser.
// Installs what is missing from Debian when it may. Otherwise those tests skip and say so, and with CI=true the run fails.

import { spawnSync } from "node:child_process";
import { say } from "./ensure.mjs";

/** `usedBy` finds the paths of the tests that need it; `probe` is a shell command that ends with 0 when it is there. */
const TOOLS = [
  { debian: "mosquitto", usedBy: /interop\/.*acl-file|differential/, probe: "command -v mosquitto" },
  { debian: "mosquitto-clients", usedBy: /interop\/.*mosquitto/, probe: "command -v mosquitto_pub" },
  { debian: "python3-paho-mqtt", usedBy: /interop\/.*paho/, probe: "/usr/bin/python3 -c 'import paho.mqtt'" },
  { debian: "chromium", usedBy: /interop\/.*browser/, probe: "command -v chromium" },
  { debian: "build-essential", usedBy: /crash\/.*failing-disk/, probe: "command -v cc" },
  { debian: "nats-server", usedBy: /jetstream/, probe: "command -v nats-server" },
];

/** @returns false when a tool is missing where none may be: with CI=true. */
export function ensureTools(files) {
  const needed = TOOLS.filter(({ usedBy }) => files.some((file) => usedBy.test(file)));
  let missing = needed.filter(isMissing);
  if (missing.length > 0 && process.getuid?.() === 0) {
    install(missing.map(({ debian }) => debian));
    missing = missing.filter(isMissing);
  }
  if (missing.length === 0) return true;
  say(`not installed, tests skip: ${missing.map(({ debian }) => debian).join(", ")}`);
  return process.env.CI !== "true";
}

function isMissing({ probe }) {
  return spawnSync("sh", ["-c", probe], { stdio: "ignore" }).status !== 0;
}

function install(packages) {
  say(`installing ${packages.join(", ")} (apt-get)`);
  const options = { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  const apt = (...args) => spawnSync("apt-get", ["-qq", ...args], options).status === 0;
  const add = () => apt("install", "-y", "--no-install-recommends", ...packages);
  // The list of packages may be absent or old.
  if (!add() && apt("update")) add();
}
