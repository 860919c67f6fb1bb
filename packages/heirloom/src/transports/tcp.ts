// The TCP listener. MQTT 5.0 section 4.2.

import { createServer } from "node:net";
import type { ListenerSettings } from "../config/settings.ts";
import { listen, stopListening } from "./listen.ts";
import { StreamTransport } from "./stream.ts";
import { hostAndPort, remoteAddressOf, type Accept, type Listener } from "./transport.ts";

/** Milliseconds of silence after which the system asks whether a peer is still there. */
const TCP_KEEP_ALIVE_MS = 60_000;

/** @throws ListenError when the address cannot be had. */
export async function listenTcp(settings: ListenerSettings, accept: Accept): Promise<Listener> {
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
    (socket) => accept(new StreamTransport(socket, remoteAddressOf(socket))),
  );
  if (settings.connections !== undefined) server.maxConnections = settings.connections;
  const { address, port } = await listen(server, settings);
  return {
    name: settings.name,
    transport: "tcp",
    host: address,
    port,
    url: `mqtt://${hostAndPort(address, port)}`,
    close: () => stopListening(server),
  };
}
