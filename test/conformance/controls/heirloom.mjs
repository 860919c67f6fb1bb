// Controls for heirloom: starts one process for each configuration that a case asks for.
//   node dist/main.js --controls controls/heirloom.mjs ...
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

class ServerProcess {
  #options;
  #child;

  constructor(options) {
    this.#options = options;
  }

  async start() {
    this.#child = fork(new URL("server.mjs", import.meta.url), [JSON.stringify(this.#options)]);
    const ended = once(this.#child, "exit").then(([code]) => {
      throw new Error(`the broker ended with ${code} instead of listening`);
    });
    await Promise.race([once(this.#child, "message"), ended]);
    ended.catch(() => undefined);
  }

  async end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

export const controls = {
  async withBroker(config, use) {
    const data = await mkdtemp(join(tmpdir(), "heirloom-conformance-"));
    const [port, wsPort] = [await freePort(), await freePort()];
    const server = new ServerProcess({ ...config, port, wsPort, data });
    await server.start();
    try {
      await use({
        target: { host: "127.0.0.1", port, wsPort },
        async kill() {
          await server.end("SIGKILL");
          await server.start();
        },
        stop: () => server.end("SIGTERM"),
        start: () => server.start(),
      });
    } finally {
      await server.end("SIGKILL");
      await rm(data, { recursive: true, force: true });
    }
  },
};
