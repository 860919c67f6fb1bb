// What goes to the store, as a person would note it down: `log a/# +1 | pub received 7`.

import { readLogRecord } from "../logs/log.ts";
import type { StoreBatch } from "../ports/store.ts";
import { readDelivery, readReceived, readSession, readStretch } from "../sessions/session-records.ts";

/** Remembers which numbers stand for which sessions and logs; one for the whole life of a store. */
export class BatchWords {
  readonly #clientIds = new Map<string, string>();
  readonly #filters = new Map<number, string>();
  readonly #subscriptions = new Map<string, string>();

  /** The whole batch on one line, or "" when it only gives back space. */
  of(batch: StoreBatch): string {
    const parts: string[] = [];
    for (const record of batch.records) this.#learn(record.table, record.key, record.value);
    for (const { logId, firstIndex, lastIndex } of batch.blocks) {
      parts.push(`log ${this.#filters.get(logId) ?? logId} +${lastIndex - firstIndex + 1}`);
    }
    for (const { table, key, value } of batch.records) {
      const words = this.#record(table, key, value);
      if (words !== "") parts.push(words);
    }
    return parts.join(" | ");
  }

  #learn(table: string, key: string, value: Uint8Array | undefined): void {
    if (value === undefined) return;
    if (table === "session") this.#clientIds.set(String(readSession(value).sessionId), key);
    if (table === "log") this.#filters.set(Number(key), readLogRecord(value).topicFilter || "(own)");
    if (table === "subscription") this.#subscriptions.set(key, readStretch(value).subscription.topicFilter);
  }

  #record(table: string, key: string, value: Uint8Array | undefined): string {
    switch (table) {
      case "session":
        return value === undefined ? `${key} ended` : `${key} session`;
      case "subscription":
        return this.#subscription(key, value);
      case "delivery":
        return value === undefined ? "" : `${this.#client(key)} in flight ${inFlight(value)}`;
      case "received":
        return `${this.#client(key)} received ${value === undefined ? "none" : readReceived(value).join(",")}`;
      case "group":
        return `${key} ${value === undefined ? "ended" : "moved"}`;
      case "retained":
        return `retained ${key}${value === undefined ? " deleted" : ""}`;
      default:
        return "";
    }
  }

  #subscription(key: string, value: Uint8Array | undefined): string {
    const topicFilter = this.#subscriptions.get(key) ?? "";
    const what = `${this.#client(key)} subscription ${topicFilter === "" ? "(own)" : topicFilter}`;
    if (value === undefined) return `${what} gone`;
    const { cursor, isOpen } = readStretch(value);
    return isOpen || cursor?.end === Infinity ? what : `${what} ended`;
  }

  #client(key: string): string {
    const sessionId = key.split("/")[0] ?? "";
    return this.#clientIds.get(sessionId) ?? `session ${sessionId}`;
  }
}

/** Packet identifiers; with a star where PUBREC came. */
function inFlight(value: Uint8Array): string {
  const { runs } = readDelivery(value);
  const names = runs.flatMap(({ packetId, count, isReleased }) =>
    Array.from({ length: count }, (_, place) => `${packetId + place}${isReleased ? "*" : ""}`),
  );
  return names.length === 0 ? "none" : names.join(",");
}
