// What the server tells on standard error while it runs: only what an operator has to know.
// Names that clients chose are quoted, so that no control character gets into a terminal or a second line.

import type { Broker } from "../broker.ts";

/** Milliseconds. At most one line about discarded messages in this time, where the count is complete, and one about a fault. */
const DISCARD_LINE_MS = 10_000;

/** Prints what `broker` reports from now on. */
export function logTo(print: (line: string) => void, broker: Broker): void {
  broker.on("damaged", ({ place, reason, setAside }) => {
    print(`damaged: ${place}: ${reason}${setAside === undefined ? "" : `; set aside in ${setAside}`}`);
  });
  broker.on("storeFull", ({ full }) => {
    print(
      full ? "the disk is full: QoS 1 and 2 and retained messages are refused" : "the disk has space again",
    );
  });
  broker.on("warning", ({ message }) => print(`warning: ${message}`));
  logDiscards(print, broker);
  logDecoderFailures(print, broker);
}

/** A fault of ours that a peer can repeat as often as it likes. */
function logDecoderFailures(print: (line: string) => void, broker: Broker): void {
  let nextMs = 0;
  broker.on("decoderFailed", ({ remoteAddress, error }) => {
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + DISCARD_LINE_MS;
    print(
      `fault: a packet of ${remoteAddress} could not be read: ${JSON.stringify(error.stack ?? error.message)}`,
    );
  });
}

function logDiscards(print: (line: string) => void, broker: Broker): void {
  let waiting = 0;
  let latest = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    if (waiting === 0) return;
    print(`discarded: ${waiting} messages at the limit of full queues, the latest of client ${latest}`);
    waiting = 0;
    timer = setTimeout(flush, DISCARD_LINE_MS).unref();
  };
  broker.on("discarded", ({ clientId, messages }) => {
    waiting += messages;
    latest = JSON.stringify(clientId);
    timer ??= setTimeout(flush, 0).unref();
  });
}
