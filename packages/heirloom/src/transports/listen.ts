// Binds a server of Node to an address, and says in words why that failed.

import type { AddressInfo, Server } from "node:net";
import { ListenError, messageOf, systemCode } from "../errors.ts";
import { hostAndPort } from "./transport.ts";

/** Connections that the system accepts before we do. Many: after a restart all clients come at once. */
const BACKLOG = 4_096;

/** Where a server is to listen. `host` absent = on all addresses; port 0 = one that is free. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** @throws ListenError when the address cannot be had. */
export async function listen(server: Server, address: ListenAddress): Promise<AddressInfo> {
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
  // Accepting may fail later, for want of file descriptors: that connection is lost, the listener stays.
  server.on("error", () => {});
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new ListenError(`no TCP address: ${String(bound)}`);
  return bound;
}

/** Stops accepting; resolves at once, connections that were accepted stay. */
export function stopListening(server: Server): Promise<void> {
  if (server.listening) server.close();
  return Promise.resolve();
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
