// Controls for Mosquitto 2: writes a configuration file for each configuration that a case asks for.
//   node dist/main.js --controls controls/mosquitto.mjs ...
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SkipError } from "@heirloom/conformance";
import { withBrokerProcess } from "./broker-process.mjs";

/** Where Debian has it, which is not in the PATH of every user. */
const PROGRAM = process.env.MOSQUITTO ?? "/usr/sbin/mosquitto";

/** Options of the whole broker by field of the configuration. Its max_keepalive begins at 10 s, too long for a test. */
const GLOBAL = {
  retainAvailable: (value) => `retain_available ${value}`,
  receiveMaximum: (value) => `max_inflight_messages ${value}`,
  maximumPacketSize: (value) => `max_packet_size ${value}`,
};

/** Options of a listener. */
const LISTENER = {
  maximumQoS: (value) => `max_qos ${value}`,
  topicAliasMaximum: (value) => `max_topic_alias ${value}`,
};

/** Taken care of below. */
const FILES = ["deniedTopics", "passwords", "persistence"];

const lines = (options, config) =>
  Object.entries(config).flatMap(([name, value]) => (name in options ? [options[name](value)] : []));

async function withPasswords(data) {
  const path = join(data, "passwords");
  await promisify(execFile)("mosquitto_passwd", ["-b", "-c", path, "alice", "secret"]);
  return ["allow_anonymous false", `password_file ${path}`];
}

async function withDeniedTopics(data) {
  const path = join(data, "acl");
  await writeFile(path, "topic deny denied/#\ntopic readwrite #\ntopic readwrite $share/#\n");
  return [`acl_file ${path}`];
}

/** Saved after each change: the most careful that it can be told to be. */
const withPersistence = (data) => [
  "persistence true",
  `persistence_location ${data}/`,
  "autosave_interval 1",
  "autosave_on_changes true",
];

async function configFile(config, { port, wsPort, data }) {
  const perListener = lines(LISTENER, config);
  return [
    `user ${userInfo().username}`,
    "log_type none",
    ...(config.passwords ? await withPasswords(data) : ["allow_anonymous true"]),
    ...(config.deniedTopics ? await withDeniedTopics(data) : []),
    ...(config.persistence ? withPersistence(data) : []),
    ...lines(GLOBAL, config),
    `listener ${port} 127.0.0.1`,
    ...perListener,
    `listener ${wsPort} 127.0.0.1`,
    "protocol websockets",
    ...perListener,
    "",
  ].join("\n");
}

export const controls = {
  async withBroker(config, use) {
    const unknown = Object.keys(config).filter(
      (name) => !(name in GLOBAL) && !(name in LISTENER) && !FILES.includes(name),
    );
    if (unknown.length > 0)
      throw new SkipError(`Mosquitto has no option for this: ${JSON.stringify(config)}`);
    await withBrokerProcess(async (place) => {
      const path = join(place.data, "mosquitto.conf");
      await writeFile(path, await configFile(config, place));
      return [PROGRAM, "-c", path];
    }, use);
  },
};
