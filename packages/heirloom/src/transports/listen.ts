// Binds a server of Node to an address or a Unix socket, and says in words why that failed.

import type { Server } from "node:net";
import { ListenError, messageOf, systemCode } from "../errors.ts";
import { hostAndPort } from "./transport.ts";
import { listenOnSocket, type UnixSocket } from "./unix-socket.ts";

/** Connections that the system accepts before we do. Many: after a restart all clients come at once. */
const BACKLOG = 4_096;

/** Milliseconds between two warnings that connections cannot be accepted. */
const WARNING_INTERVAL_MS = 10_000;

/** Where a server is to listen. `host` absent = on all addresses; port 0 = one that is free. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
  /** Instead of host and port. */
  readonly socket?: UnixSocket | undefined;
}

/** Where a server listens: an address and a port, or the path of a Unix socket and 0. */
export interface Bound {
  readonly host: string;
  readonly port: number;
}

/**
 * @param warning is told when connections cannot be accepted any more, for want of file descriptors.
 * @throws ListenError when the address cannot be had.
 */
export async function listen(
  server: Server,
  address: ListenAddress,
  warning: (message: string) => void,
): Promise<Bound> {
  if (address.socket !== undefined) await listenOnSocket(server, address.socket, BACKLOG);
  else await listenOnPort(server, address);
  // Accepting may fail later: that connection is lost, the listener stays.
  let latestMs = -Infinity;
  server.on("error", (error) => {
    if (performance.now() - latestMs < WARNING_INTERVAL_MS) return;
    latestMs = performance.now();
    warning(`connections cannot be accepted: ${messageOf(error)}`);
  });
  const bound = server.address();
  if (typeof bound === "string") return { host: bound, port: 0 };
  if (bound === null) throw new ListenError("no address");
  return { host: bound.address, port: bound.port };
}

/** Stops accepting; resolves at once, connections that were accepted stay. */
export function stopListening(server: Server): Promise<void> {
  if (server.listening) server.close();
  return Promise.resolve();
}

async function listenOnPort(server: Server, address: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(new ListenError(listenFailure(address, error), { cause: error }));
    };
    server.once("error", fail);
    server.listen({ port: address.port, host: address.host, backlog: BACKLOG }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function listenFailure(address: ListenAddress, error: Error): string {
  const place = hostAndPort(address.host ?? "*", address.port);
  switch (systemCode(error)) {
    case "EADDRINUSE":
      return `cannot listen on ${place}: another process listens there already`;
    case "EACCES":
      return `cannot listen on ${place}: not permitted (ports below 1024 need privileges)`;
    case "EADDRNOTAVAIL":
      return `cannot listen on ${place}: this machine does not have that address`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `cannot listen on ${place}: the name is not known`;
    default:
      return `cannot listen on ${place}: ${messageOf(error)}`;
  }
}
