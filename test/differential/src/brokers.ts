// The two brokers of the comparison, each as a process of its own, on loopback.

import { createServer } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Program } from "#interop/program";
import { ServerProcess } from "#interop/server";

export interface RunningBroker {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startHeirloom(directory: string): Promise<RunningBroker> {
  const server = await ServerProcess.start({ data: join(directory, "heirloom") });
  return { port: server.port, stop: () => server.kill() };
}

export async function startMosquitto(directory: string): Promise<RunningBroker> {
  const port = await freePort();
  const file = join(directory, "mosquitto.conf");
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "set_tcp_nodelay true",
    // No bounds: both brokers shall keep everything.
    "max_inflight_messages 0",
    "max_queued_messages 0",
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const program = new Program(["mosquitto", "-c", file, "-v"], { env: { PATH: pathWithSbin() } });
  await program.printed("running");
  return { port, stop: () => program.kill() };
}

/** Debian puts it where only root looks. */
export function pathWithSbin(): string {
  return `${process.env["PATH"] ?? ""}:/usr/sbin`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
