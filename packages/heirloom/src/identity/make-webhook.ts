// Puts together what asks a server of the operator.

import { fileError, readAuthorities, readBytes, withoutLineEnd } from "./files.ts";
import { JsonEndpoint } from "./http.ts";
import { KeyedCache } from "./keyed-cache.ts";
import { WEBHOOK_DEFAULTS, type WebhookFields } from "./options.ts";
import type { AuthenticatorTools, Made } from "./resource.ts";
import { Secret } from "./secret.ts";
import { WebhookAuthenticator, type Judgement } from "./webhook.ts";

const MAXIMUM_ANSWER_BYTES = 65_536;

/** @throws ConfigError */
export async function makeWebhook(fields: WebhookFields, tools: AuthenticatorTools): Promise<Made> {
  const { now } = tools;
  const { url, caFile, bearerTokenFile, ...rest } = { ...WEBHOOK_DEFAULTS, ...fields };
  const ca = caFile === undefined ? {} : { ca: await readAuthorities(caFile) };
  let token: Secret | undefined;
  const endpoint = new JsonEndpoint({
    url,
    timeoutMs: rest.timeoutMs,
    maximumBytes: MAXIMUM_ANSWER_BYTES,
    atOnce: rest.requestsAtOnce,
    mayWait: rest.requestsWaiting,
    bearerToken: () => token,
    now,
    ...ca,
  });
  const cache = new KeyedCache<Judgement>(rest.cacheEntries, now);
  return {
    authenticator: new WebhookAuthenticator(endpoint, cache, rest.cacheForMs, now),
    resource: {
      prepare: async () => {
        const read = bearerTokenFile === undefined ? undefined : await readToken(bearerTokenFile, tools);
        return () => {
          token = read;
          // What the server said may be different now.
          cache.clear();
        };
      },
      close: () => endpoint.close(),
    },
  };
}

async function readToken(file: string, { warn }: AuthenticatorTools): Promise<Secret> {
  const { bytes, warnings } = await readBytes(file);
  for (const warning of warnings) warn(warning);
  const token = withoutLineEnd(bytes).toString("latin1");
  // Anything else could end the header line.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw fileError(file, "expected a token of printable characters, without blanks");
  return new Secret(token);
}
