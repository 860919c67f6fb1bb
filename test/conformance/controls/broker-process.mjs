// What the controls of all brokers need: a free port, a directory, and a process that is started, ended and killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function isListening(port) {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

class BrokerProcess {
  #command;
  #ports;
  #child;

  constructor(command, ports) {
    this.#command = command;
    this.#ports = ports;
  }

  async start() {
    const [program, ...args] = this.#command;
    this.#child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
    const failed = once(this.#child, "error").then(([error]) => {
      throw error;
    });
    await Promise.race([this.#listening(), failed]);
    failed.catch(() => undefined);
  }

  async #listening() {
    for (const port of this.#ports) {
      while (!(await isListening(port))) {
        if (this.#ended) throw new Error(`${this.#command[0]} ended instead of listening`);
        await sleep(20);
      }
    }
  }

  get #ended() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async end(signal) {
    if (this.#ended) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

/**
 * Starts the broker that `prepare` describes, calls `use` and ends it.
 *
 * `prepare` gets { port, wsPort, data } and returns the command; `data` is an empty directory.
 */
export async function withBrokerProcess(prepare, use) {
  const data = await mkdtemp(join(tmpdir(), "conformance-"));
  const [port, wsPort] = [await freePort(), await freePort()];
  let broker;
  try {
    broker = new BrokerProcess(await prepare({ port, wsPort, data }), [port, wsPort]);
    await broker.start();
    await use({
      target: { host: "127.0.0.1", port, wsPort },
      async kill() {
        await broker.end("SIGKILL");
        await broker.start();
      },
      stop: () => broker.end("SIGTERM"),
      start: () => broker.start(),
    });
  } finally {
    await broker?.end("SIGKILL");
    await rm(data, { recursive: true, force: true });
  }
}
