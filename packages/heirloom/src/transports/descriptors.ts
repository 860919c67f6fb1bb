// How many sockets this process may have open. The store, certificates and password files need file descriptors too, and a
// store that cannot open a file stops the process: so clients never get the last ones.

import type { Socket } from "node:net";
import { openFilesLimit } from "../process-limits.ts";

/** LevelDB keeps a thousand files open; the rest is for the journal, for files that are read anew, and for other servers. */
const RESERVED = 1_100;

/** Counts sockets that clients have open. */
export class Descriptors {
  /** Sockets at the same time; of few descriptors, half of them. */
  readonly maximumSockets: number;
  #open = 0;

  /** @param limit files that the process may have open; `undefined` = not known, and nothing is refused. */
  constructor(limit: number | undefined) {
    this.maximumSockets = limit === undefined ? Infinity : limit - Math.min(RESERVED, Math.ceil(limit / 2));
  }

  get open(): number {
    return this.#open;
  }

  /** Counts a socket until it is closed. @returns whether there is room for it; otherwise it is not counted. */
  take(socket: Socket): boolean {
    if (this.#open >= this.maximumSockets) return false;
    this.#open++;
    socket.on("close", this.#closed);
    return true;
  }

  readonly #closed = (): void => {
    this.#open--;
  };
}

/** Those of this process, whatever number of brokers it runs. */
export const descriptors: Descriptors = new Descriptors(openFilesLimit());
