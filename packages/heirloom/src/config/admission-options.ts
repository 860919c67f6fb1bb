// The options that say how many connections may come, and how fast: of one address, and of all.

import { count } from "./kinds.ts";
import type { OptionTable } from "./option.ts";

/** As a program or a file gives them. 0 = no limit. */
export interface AdmissionOptions {
  /** Connections of one address at the same time; of IPv6, of one network of 64 bits. */
  readonly connectionsPerAddress?: number;
  /** Connections per second of all addresses together. */
  readonly connectRate?: number;
  /** Connections per second of one address. */
  readonly connectRatePerAddress?: number;
}

/** With nothing left open. */
export interface AdmissionLimits extends Required<AdmissionOptions> {
  /** Whether this machine's own addresses count: only when a limit of one address was given in so many words. */
  readonly countsThisMachine: boolean;
}

const DEFAULT_CONNECTIONS_PER_ADDRESS = 50_000;
const DEFAULT_CONNECT_RATE_PER_ADDRESS = 2_000;
const MAXIMUM = 2 ** 50;

/** Seconds' worth of connections that may come at once after a pause. */
export const BURST_SECONDS = 10;

/** @param broker the limits of the broker; absent = the options are the broker's own. */
export function resolveAdmission(options: AdmissionOptions, broker?: AdmissionLimits): AdmissionLimits {
  const { connectionsPerAddress, connectRate, connectRatePerAddress } = options;
  const isGiven = connectionsPerAddress !== undefined || connectRatePerAddress !== undefined;
  return {
    connectionsPerAddress:
      connectionsPerAddress ?? broker?.connectionsPerAddress ?? DEFAULT_CONNECTIONS_PER_ADDRESS,
    connectRate: connectRate ?? broker?.connectRate ?? 0,
    connectRatePerAddress:
      connectRatePerAddress ?? broker?.connectRatePerAddress ?? DEFAULT_CONNECT_RATE_PER_ADDRESS,
    countsThisMachine: isGiven || broker?.countsThisMachine === true,
  };
}

/** These options out of many. */
export function admissionOptionsOf(options: AdmissionOptions): AdmissionOptions {
  const { connectionsPerAddress, connectRate, connectRatePerAddress } = options;
  return {
    ...(connectionsPerAddress === undefined ? {} : { connectionsPerAddress }),
    ...(connectRate === undefined ? {} : { connectRate }),
    ...(connectRatePerAddress === undefined ? {} : { connectRatePerAddress }),
  };
}

/** Whether a listener has limits of its own, and so counts for itself. */
export function hasAdmission(options: AdmissionOptions): boolean {
  return Object.keys(admissionOptionsOf(options)).length > 0;
}

const OTHER_MACHINES =
  "The default holds for other machines only, because a proxy on this one has the address 127.0.0.1 for all its clients; " +
  "a value of your own holds for all addresses.";

export const ADMISSION_OPTIONS: OptionTable<AdmissionOptions> = {
  connectionsPerAddress: {
    name: "connectionsPerAddress",
    kind: count({ minimum: 0, maximum: MAXIMUM }),
    default: String(DEFAULT_CONNECTIONS_PER_ADDRESS),
    description:
      "Connections of one address at the same time, of IPv6 of one network of 64 bits; 0 = no limit. More are closed at " +
      `once, before TLS. The default leaves room for a gateway with many clients behind it. ${OTHER_MACHINES}`,
  },
  connectRate: {
    name: "connectRate",
    kind: count({ minimum: 0, maximum: MAXIMUM }),
    default: "0",
    description:
      `Connections per second of all addresses together, with ${BURST_SECONDS} seconds' worth at once; 0 = no limit. More ` +
      "are closed at once, before TLS. There is none by default: after a restart all clients come at once, and closing " +
      "their connections would make that last longer.",
  },
  connectRatePerAddress: {
    name: "connectRatePerAddress",
    kind: count({ minimum: 0, maximum: MAXIMUM }),
    default: String(DEFAULT_CONNECT_RATE_PER_ADDRESS),
    description:
      `Connections per second of one address, with ${BURST_SECONDS} seconds' worth at once; 0 = no limit. More are closed ` +
      `at once, before TLS. The default lets 20,000 clients behind one gateway come back at once. ${OTHER_MACHINES}`,
  },
};

/** The same for one listener. */
export const LISTENER_ADMISSION_OPTIONS: OptionTable<AdmissionOptions> = {
  connectionsPerAddress: ofListener(ADMISSION_OPTIONS.connectionsPerAddress),
  connectRate: ofListener(ADMISSION_OPTIONS.connectRate),
  connectRatePerAddress: ofListener(ADMISSION_OPTIONS.connectRatePerAddress),
};

function ofListener<T extends (typeof ADMISSION_OPTIONS)["connectRate"]>(option: T): T {
  return {
    ...option,
    default: `the broker's \`${option.name}\``,
    description: "The same for this listener, which then counts its connections for itself.",
  };
}
