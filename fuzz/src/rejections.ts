// Promises that were rejected and that nobody looked after: in production they end the process.

import { Finding } from "./target.ts";

export class Rejections {
  #reasons: unknown[] = [];

  constructor() {
    process.on("unhandledRejection", (reason) => void this.#reasons.push(reason));
  }

  /** @throws Finding when there was one since the last call. Waits for the next turn of the event loop: then Node has told. */
  async check(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#reasons.length === 0) return;
    const [reason] = this.#reasons.splice(0);
    throw new Finding(
      `unhandled: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`,
    );
  }
}
