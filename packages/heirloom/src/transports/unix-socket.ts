// Listens on a Unix socket. A socket that a process left behind is replaced; one on which somebody listens is not, and what
// is no socket is not touched.

import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { isMainThread } from "node:worker_threads";
import { ListenError, messageOf, systemCode } from "../errors.ts";

/** A path in the file system, and who may connect to it. */
export interface UnixSocket {
  readonly path: string;
  /** Mode bits: whoever may write may connect. */
  readonly mode: number;
}

/** @throws ListenError */
export async function listenOnSocket(server: Server, socket: UnixSocket, backlog: number): Promise<void> {
  try {
    await bind(server, socket, backlog);
  } catch (error) {
    if (systemCode(error) !== "EADDRINUSE") throw failure(socket, messageOf(error), error);
    await removeStale(socket, error);
    try {
      await bind(server, socket, backlog);
    } catch (again) {
      throw failure(socket, messageOf(again), again);
    }
  }
  // Exactly this mode, whatever the process's mask takes away.
  await chmod(socket.path, socket.mode);
}

async function bind(server: Server, socket: UnixSocket, backlog: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const done = (): void => {
      server.off("error", reject);
      resolve();
    };
    // The socket is made within this call. With the usual mask, others could connect before the mode is set.
    const mask = isMainThread ? process.umask(0o777 & ~socket.mode) : undefined;
    try {
      server.listen({ path: socket.path, backlog }, done);
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
  });
}

async function removeStale(socket: UnixSocket, cause: unknown): Promise<void> {
  const file = await lstat(socket.path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket()) throw failure(socket, "a file that is no socket is there", cause);
  if (await isAnswered(socket.path)) throw failure(socket, "another process listens there already", cause);
  await unlink(socket.path);
}

/** Whether somebody listens. Not sure = yes: only a refusal says that the socket is nobody's. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.on("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.on("error", (error) => resolve(systemCode(error) !== "ECONNREFUSED"));
  });
}

function failure(socket: UnixSocket, message: string, cause: unknown): ListenError {
  return new ListenError(`cannot listen on ${socket.path}: ${message}`, { cause });
}
