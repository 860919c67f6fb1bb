// The process of the broker that is flooded: the real broker on real sockets. It answers every message of its parent with a
// report. Its one argument is the options of `createBroker`, as JSON.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { type BrokerOptions, createBroker } from "heirloom";
import type { Report } from "./report.ts";

const KIBIBYTE = 1_024;
const NANOSECONDS_IN_MS = 1e6;

function isOptions(value: unknown): value is BrokerOptions {
  return typeof value === "object" && value !== null;
}

const options: unknown = JSON.parse(process.argv[2] ?? "{}");
if (!isOptions(options)) throw new Error("expected the options of createBroker as JSON");
const broker = await createBroker({ ...options, port: 0, wsPort: 0 });
const loopDelay = monitorEventLoopDelay({ resolution: 5 });
loopDelay.enable();
let utilization = performance.eventLoopUtilization();

function report(): Report {
  const { user, system } = process.cpuUsage();
  const standstillMs = loopDelay.max / NANOSECONDS_IN_MS;
  loopDelay.reset();
  const busyShare = performance.eventLoopUtilization(utilization).utilization;
  utilization = performance.eventLoopUtilization();
  const [tcp, webSocket] = broker.listeners;
  return {
    port: tcp?.port ?? 0,
    wsPort: webSocket?.port ?? 0,
    counters: { ...broker.counters },
    residentBytes: process.memoryUsage.rss(),
    peakBytes: process.resourceUsage().maxRSS * KIBIBYTE,
    cpuMs: (user + system) / 1_000,
    standstillMs,
    busyShare,
    openSockets: process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length,
  };
}

process.on("message", () => {
  process.send?.(report());
});
process.on("disconnect", () => process.exit(0));
process.send?.(report());
