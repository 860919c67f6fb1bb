// The listener for MQTT over TCP, TLS and Unix sockets. MQTT 5.0 section 4.2.

import type { ListenerSettings } from "../config/listener-settings.ts";
import { openEntrance, type Inside } from "./entrance.ts";
import { StreamTransport } from "./stream.ts";
import { hostAndPort, strangerAt, type ListenerHost, type OpenListener } from "./transport.ts";

/** @throws ListenError when the address cannot be had, ConfigError when a certificate or key cannot be used. */
export async function listenTcp(settings: ListenerSettings, host: ListenerHost): Promise<OpenListener> {
  const inside: Inside = {
    protocol: "mqtt",
    direct: (socket, remoteAddress) => host.accept(new StreamTransport(socket, strangerAt(remoteAddress))),
    entered: (stream, arrival) => host.accept(new StreamTransport(stream, arrival.enter())),
  };
  const { bound, reloadable, close } = await openEntrance(settings, host, inside);
  const scheme = settings.tls === undefined ? "mqtt" : "mqtts";
  return {
    name: settings.name,
    transport: "tcp",
    ...bound,
    url:
      settings.socket === undefined
        ? `${scheme}://${hostAndPort(bound.host, bound.port)}`
        : `mqtt+unix://${bound.host}`,
    reloadable,
    close,
  };
}
