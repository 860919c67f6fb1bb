// Puts together what checks tokens: the rules of the options, and keys from one of four places.

import { JsonEndpoint } from "./http.ts";
import { readAuthorities } from "./files.ts";
import { JwtAuthenticator, type TokenRules } from "./jwt.ts";
import { NO_KEYS, readKeySet, readPublicKey, readTokenSecret, type TokenKeys } from "./jwt-keys.ts";
import { RemoteKeys } from "./jwt-remote-keys.ts";
import { JWT_DEFAULTS, type JwtFields } from "./options.ts";
import type { AuthenticatorTools, Made } from "./resource.ts";

const FETCH_TIMEOUT_MS = 5_000;
const MAXIMUM_SET_BYTES = 2 ** 20;

/** @throws ConfigError */
export async function makeJwt(fields: JwtFields, tools: AuthenticatorTools): Promise<Made> {
  const { issuer, audience, algorithms } = fields;
  const rules: TokenRules = { ...JWT_DEFAULTS, ...fields, issuer, audience, algorithms };
  const { jwksUrl } = fields;
  if (jwksUrl !== undefined) return makeRemote(jwksUrl, fields.caFile, rules, tools);
  let keys = NO_KEYS;
  return {
    authenticator: new JwtAuthenticator(() => keys, rules, tools.wallNow),
    resource: {
      prepare: async () => {
        const read = await readKeys(fields, tools);
        return () => (keys = read);
      },
    },
  };
}

async function makeRemote(
  url: string,
  caFile: string | undefined,
  rules: TokenRules,
  { now, warn, wallNow }: AuthenticatorTools,
): Promise<Made> {
  const ca = caFile === undefined ? {} : { ca: await readAuthorities(caFile) };
  const bounds = { timeoutMs: FETCH_TIMEOUT_MS, maximumBytes: MAXIMUM_SET_BYTES, atOnce: 1, mayWait: 1 };
  const endpoint = new JsonEndpoint({ url, now, ...bounds, ...ca });
  const keys = new RemoteKeys(endpoint, now, warn);
  return {
    authenticator: new JwtAuthenticator(() => keys, rules, wallNow),
    resource: { prepare: () => Promise.resolve(() => {}), close: () => endpoint.close() },
  };
}

function readKeys(fields: JwtFields, { warn }: AuthenticatorTools): Promise<TokenKeys> {
  const { jwksFile, publicKeyFile, secretFile = "" } = fields;
  if (jwksFile !== undefined) return readKeySet(jwksFile);
  if (publicKeyFile !== undefined) return readPublicKey(publicKeyFile);
  return readTokenSecret(secretFile, warn);
}
