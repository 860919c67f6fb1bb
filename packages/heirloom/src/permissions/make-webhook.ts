// Puts together what asks a server of the operator.

import { performance } from "node:perf_hooks";
import { fileError, readAuthorities, readBytes, withoutLineEnd } from "../identity/files.ts";
import { JsonEndpoint } from "../identity/http.ts";
import { Secret } from "../identity/secret.ts";
import { WEBHOOK_PERMISSION_DEFAULTS, type WebhookPermissionOptions } from "./options.ts";
import { WebhookSource, type Clock } from "./webhook.ts";

const MAXIMUM_ANSWER_BYTES = 65_536;

/** The clock of this process. */
const CLOCK: Clock = {
  now: () => performance.now(),
  every(ms, tick) {
    const timer = setInterval(tick, ms);
    // A process that has nothing else to do may end.
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** @throws ConfigError when a file cannot be read. */
export async function makeWebhook(options: WebhookPermissionOptions): Promise<WebhookSource> {
  const { url, caFile, bearerTokenFile, ...rest } = { ...WEBHOOK_PERMISSION_DEFAULTS, ...options };
  const token = bearerTokenFile === undefined ? undefined : await readToken(bearerTokenFile);
  const endpoint = new JsonEndpoint({
    url,
    timeoutMs: rest.timeoutMs,
    maximumBytes: MAXIMUM_ANSWER_BYTES,
    atOnce: rest.requestsAtOnce,
    mayWait: rest.requestsWaiting,
    bearerToken: () => token,
    now: () => CLOCK.now(),
    ...(caFile === undefined ? {} : { ca: await readAuthorities(caFile) }),
  });
  return new WebhookSource({ ...rest, endpoint, clock: CLOCK });
}

async function readToken(file: string): Promise<Secret> {
  const token = withoutLineEnd((await readBytes(file)).bytes);
  // Anything else could end the header line.
  if (token.length === 0 || !token.every((byte) => byte > 0x20 && byte < 0x7f)) {
    throw fileError(file, "expected a token of printable characters, without blanks");
  }
  return new Secret(token.toString("latin1"));
}
