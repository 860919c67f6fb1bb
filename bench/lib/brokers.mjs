// The brokers that can be measured, and how one is started and ended: each time as a fresh process on free loopback
// ports with an empty folder, and always ended by its own process handle.
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const benchFolder = fileURLToPath(new URL("..", import.meta.url));
const heirloomMain = join(benchFolder, "../packages/heirloom/dist/cli/main.js");
const aedesMain = join(benchFolder, "peers/aedes.mjs");

const startLimitMs = 15_000;
const endLimitMs = 10_000;

/**
 * @typedef {object} Place where a broker is to listen and to keep its files
 * @property {number} port
 * @property {number | undefined} wsPort only when the load needs WebSocket
 * @property {string} data an empty folder
 *
 * @typedef {object} Broker
 * @property {string} name
 * @property {boolean} mqtt5
 * @property {boolean} ws
 * @property {() => void} prepare makes it ready to start; throws an Error that says what is missing
 * @property {() => string} version
 * @property {(place: Place) => string[]} command program and arguments
 * @property {(place: Place) => string} [config] text of a configuration file that is written to `configFile` before
 */

/** Where the configuration of a broker that needs one is put. */
const configFile = (data) => join(data, "broker.conf");

/** @type {Broker} */
const heirloom = {
  name: "heirloom",
  mqtt5: true,
  ws: true,
  prepare() {
    if (!existsSync(heirloomMain)) throw new Error(`${heirloomMain} is not there: run "npm run build" first`);
  },
  version: () =>
    JSON.parse(readFileSync(join(benchFolder, "../packages/heirloom/package.json"), "utf8")).version,
  command({ port, wsPort, data }) {
    const ws = wsPort === undefined ? [] : ["--ws-port", String(wsPort)];
    return [process.execPath, heirloomMain, "--port", String(port), "--data", data, ...ws];
  },
};

/** @type {Broker} */
const mosquitto = {
  name: "mosquitto",
  mqtt5: true,
  ws: true,
  prepare() {
    if (this.version() === "") throw new Error("mosquitto is not installed");
  },
  version() {
    try {
      return /version (\S+)/.exec(help("mosquitto"))?.[1] ?? "";
    } catch {
      return "";
    }
  },
  config: ({ port, wsPort }) =>
    [
      `listener ${port} 127.0.0.1`,
      ...(wsPort === undefined ? [] : [`listener ${wsPort} 127.0.0.1`, "protocol websockets"]),
      "allow_anonymous true",
      "max_queued_messages 0",
      "set_tcp_nodelay true",
    ].join("\n"),
  command: ({ data }) => ["mosquitto", "-c", configFile(data)],
};

/** @type {Broker} */
const aedes = {
  name: "aedes",
  mqtt5: false,
  ws: true,
  prepare() {
    if (existsSync(join(benchFolder, "node_modules/aedes"))) return;
    process.stderr.write("installing aedes into bench/node_modules\n");
    execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: benchFolder, stdio: ["ignore", 2, 2] });
  },
  version: () =>
    JSON.parse(readFileSync(join(benchFolder, "node_modules/aedes/package.json"), "utf8")).version,
  command: ({ port, wsPort }) => [
    process.execPath,
    aedesMain,
    String(port),
    ...(wsPort === undefined ? [] : [String(wsPort)]),
  ],
};

const known = [heirloom, mosquitto, aedes];

/**
 * @param {string} name
 * @returns {Broker}
 * @throws {Error} for a name that is not there
 */
export function brokerNamed(name) {
  const broker = known.find((each) => each.name === name);
  if (broker === undefined) {
    throw new Error(
      `no broker "${name}"; there are: ${known.map((each) => each.name).join(", ")}, or use --cmd`,
    );
  }
  return broker;
}

/**
 * A broker that the user describes.
 *
 * @param {string} text `NAME=command`, with {port} and, as far as it has them, {wsPort} and {data}. Words are
 *   separated by spaces, without quoting: no shell is between us and the process.
 * @returns {Broker}
 */
export function brokerFromCommand(text) {
  const [, name, command] = /^([\w.-]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || command === undefined || !command.includes("{port}")) {
    throw new Error(`--cmd takes NAME=COMMAND, and the command has to contain {port}: ${text}`);
  }
  return {
    name,
    mqtt5: true,
    ws: command.includes("{wsPort}"),
    prepare() {},
    version: () => "",
    command({ port, wsPort, data }) {
      const values = { port, wsPort: wsPort ?? 0, data };
      return command
        .trim()
        .split(/\s+/)
        .map((word) => word.replace(/\{(port|wsPort|data)\}/g, (_, key) => String(values[key])));
    },
  };
}

/** Output of `program -h`, whatever its exit code is. */
function help(program) {
  try {
    return execFileSync(program, ["-h"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    if (typeof error.stdout === "string" && error.stdout !== "") return error.stdout;
    throw error;
  }
}

/** @returns {Promise<number>} a TCP port that is free on 127.0.0.1 */
async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @returns {Promise<boolean>} whether something listens on the port of 127.0.0.1 */
function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** @type {Set<RunningBroker>} */
const live = new Set();

/** Kills the brokers that run at the moment and removes their folders: for a session that is broken off. */
export function abandonBrokers() {
  for (const running of live) running.abandon();
}

/** A broker process, from its start to its end. */
export class RunningBroker {
  #child;
  #exited;
  #folder;
  #ended = false;

  /**
   * Starts a broker and waits until it listens.
   *
   * @param {Broker} broker
   * @param {boolean} ws whether it has to listen for WebSocket too
   * @returns {Promise<RunningBroker>}
   * @throws {Error} when it ends or does not listen within 15 seconds; then nothing of it is left
   */
  static async start(broker, ws) {
    const folder = mkdtempSync(join(tmpdir(), "heirloom-bench-"));
    const data = join(folder, "data");
    mkdirSync(data, { mode: 0o755 });
    const place = { port: await freePort(), wsPort: ws ? await freePort() : undefined, data };
    if (broker.config) writeFileSync(configFile(data), broker.config(place) + "\n");
    const running = new RunningBroker(folder, place, broker.command(place));
    try {
      await running.#waitUntilListening();
    } catch (error) {
      await running.end();
      throw error;
    }
    return running;
  }

  constructor(folder, place, command) {
    const [program, ...args] = command;
    const log = openSync(join(folder, "broker.log"), "w");
    this.#folder = folder;
    this.port = place.port;
    this.wsPort = place.wsPort;
    this.#child = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => resolve(`exit ${code ?? signal}`));
      this.#child.once("error", (error) => resolve(error.message));
    });
    void this.#exited.then(() => (this.#ended = true));
    live.add(this);
  }

  /** @returns {number} the process id */
  get pid() {
    return this.#child.pid;
  }

  /** @returns {boolean} whether the process is still there; a broker that ended during a run failed it */
  get alive() {
    return !this.#ended;
  }

  /** @returns {string} the last lines that the broker wrote */
  get log() {
    return readFileSync(join(this.#folder, "broker.log"), "utf8").slice(-2000);
  }

  async #waitUntilListening() {
    const deadlineMs = performance.now() + startLimitMs;
    for (const port of [this.port, this.wsPort]) {
      while (port !== undefined && !(await listens(port))) {
        if (this.#ended) throw new Error(`the broker ended at its start: ${await this.#exited}\n${this.log}`);
        if (performance.now() > deadlineMs)
          throw new Error(`the broker does not listen on ${port}\n${this.log}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Ends the process, by force after 10 seconds, and removes its folder. */
  async end() {
    if (!this.#ended) this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), endLimitMs);
    await this.#exited;
    clearTimeout(force);
    live.delete(this);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Kills the process and removes its folder without waiting. */
  abandon() {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
