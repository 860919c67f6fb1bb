// The tables of the options that say how clients show who they are: `authentication` and `loginLimits`.

import { isNetwork } from "../identity/address.ts";
import type { CertificateField } from "../identity/certificate.ts";
import {
  DEFAULT_LOGIN_LIMITS,
  JWT_DEFAULTS,
  WEBHOOK_DEFAULTS,
  type JwtFields,
  type LoginLimits,
  type WebhookFields,
} from "../identity/options.ts";
import { count, flag, listOf, milliseconds, oneOf, seconds, text } from "./kinds.ts";
import type { Kind, Option, OptionTable } from "./option.ts";

const MANY = 10_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const CERTIFICATE_FIELDS: readonly CertificateField[] = [
  "commonName",
  "dnsName",
  "emailAddress",
  "uri",
  "fingerprint",
];
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];
const OTHER_ALGORITHMS = ["EdDSA", "Ed25519", "HS256", "HS384", "HS512"];

const network: Kind<string> = {
  expected: "an address or a network such as 10.0.0.0/8",
  read: (value) => (typeof value === "string" && isNetwork(value) ? { value } : undefined),
  accepts: (value) => typeof value === "string" && isNetwork(value),
  show: (value) => value,
};

/** One text, or a list of them. */
const texts: Kind<readonly string[]> = {
  ...listOf(text),
  expected: "a text, or a list of texts",
  read: (value) => listOf(text).read(typeof value === "string" ? [value] : value),
};

export const CERTIFICATE_OPTIONS: OptionTable<{ readonly field?: CertificateField }> = {
  field: {
    name: "field",
    kind: namesKind(CERTIFICATE_FIELDS),
    default: "commonName",
    description:
      "What names the user. A certificate that has no value of it, or several, is refused. `dnsName`, `emailAddress` and " +
      "`uri` are subject alternative names.",
  },
};

export const JWT_OPTIONS: OptionTable<JwtFields> = {
  jwksFile: file("jwksFile", "A file with public keys (JWKS)."),
  jwksUrl: {
    name: "jwksUrl",
    kind: text,
    default: "none",
    description:
      "Where public keys (JWKS) are fetched (https:, or http: of this machine): when the first token comes, again after ten minutes, and when a token names a " +
      "key that is not there, at most every 30 seconds. While that fails, the last ones stay in use.",
  },
  publicKeyFile: file("publicKeyFile", "A file with one public key or certificate in PEM."),
  secretFile: file("secretFile", "A file with the secret of HS256, HS384 and HS512: at least 32 bytes."),
  caFile: file(
    "caFile",
    "Certificates in PEM that the server of `jwksUrl` has to come from.",
    "those of Node",
  ),
  issuer: textOption(
    "issuer",
    "The value of `iss`. Tokens of others are left to the next authenticator.",
    "any",
  ),
  audience: {
    name: "audience",
    kind: texts,
    default: "any",
    description: "One of these has to stand in `aud`.",
  },
  algorithms: {
    name: "algorithms",
    kind: listOf(namesKind([...ALGORITHMS, ...OTHER_ALGORITHMS])),
    default: "all that fit the keys",
    description:
      "Narrows the algorithms that are accepted. Which ones fit follows from the type of the key, never from the token.",
  },
  usernameClaim: textOption("usernameClaim", "The claim that names the user.", JWT_DEFAULTS.usernameClaim),
  from: {
    name: "from",
    kind: namesKind(["password", "username"] as const),
    default: JWT_DEFAULTS.from,
    description: "The field of CONNECT that has the token.",
  },
  matchUsername: {
    name: "matchUsername",
    kind: flag,
    default: String(JWT_DEFAULTS.matchUsername),
    description: "Whether the user name of CONNECT must be the one in the token.",
  },
  clockTolerance: {
    name: "clockTolerance",
    kind: seconds({ minimum: 0, maximum: 60 }),
    default: String(JWT_DEFAULTS.clockTolerance),
    description: "By how much the clock of the issuer may differ.",
  },
};

export const WEBHOOK_OPTIONS: OptionTable<WebhookFields> = {
  url: {
    name: "url",
    kind: text,
    default: "none: it has to be given",
    description: "Where the question is sent: https:, or http: of this machine.",
  },
  timeoutMs: {
    name: "timeout",
    kind: milliseconds({ minimum: 100, maximum: 60_000 }),
    default: "5s",
    description: "The time to the whole answer. After it the client is refused with 0x88.",
  },
  cacheForMs: {
    name: "cacheFor",
    kind: milliseconds({ minimum: 0, maximum: HOUR_MS }),
    default: "1m",
    description: "How long an answer to the very same question is remembered; 0 = not at all.",
  },
  cacheEntries: number("cacheEntries", 0, WEBHOOK_DEFAULTS.cacheEntries, "Answers that are remembered."),
  requestsAtOnce: number("requestsAtOnce", 1, WEBHOOK_DEFAULTS.requestsAtOnce, "Questions at the same time."),
  requestsWaiting: number(
    "requestsWaiting",
    0,
    WEBHOOK_DEFAULTS.requestsWaiting,
    "Questions that wait for that; clients beyond them are refused with 0x88.",
  ),
  bearerTokenFile: file("bearerTokenFile", "A file with a token that is sent as `Authorization: Bearer`."),
  caFile: file("caFile", "Certificates in PEM that the server has to come from.", "those of Node"),
};

export const SCRAM_OPTIONS: OptionTable<{ readonly passwordFile: string }> = {
  passwordFile: file(
    "passwordFile",
    "A password file. Its users with a hash of the kind `$scram-sha-256$` can use this method.",
    "none: it has to be given",
  ),
};

export const LOGIN_LIMIT_OPTIONS: OptionTable<LoginLimits> = {
  hashesAtOnce: number(
    "hashesAtOnce",
    1,
    DEFAULT_LOGIN_LIMITS.hashesAtOnce,
    "Passwords that are hashed at the same time. Each takes a processor and up to the memory that its parameters say.",
  ),
  hashesWaiting: number(
    "hashesWaiting",
    0,
    DEFAULT_LOGIN_LIMITS.hashesWaiting,
    "Logins that wait for that; more are refused with 0x89.",
  ),
  rememberedLogins: number(
    "rememberedLogins",
    0,
    DEFAULT_LOGIN_LIMITS.rememberedLogins,
    "Successful logins that are remembered, as keyed hashes, so that clients that come back need no new hashing.",
  ),
  rememberLoginsForMs: {
    name: "rememberLoginsFor",
    kind: milliseconds({ minimum: 0, maximum: DAY_MS }),
    default: "10m",
    description: "How long.",
  },
  failuresPerUser: number(
    "failuresPerUser",
    3,
    DEFAULT_LOGIN_LIMITS.failuresPerUser,
    "Wrong passwords for one user name from one address, after which that user name is refused from there with 0x8A. " +
      "From the third on, the next try has to wait: one second, then two, four, up to a minute (0x9F). " +
      "Over a Unix socket, where nobody has an address, the next try only has to wait.",
  ),
  failuresPerSource: number(
    "failuresPerSource",
    3,
    DEFAULT_LOGIN_LIMITS.failuresPerSource,
    "Wrong passwords from one address (of IPv6: from one /64), after which all clients from there are refused with 0x8A. " +
      "Not counted over a Unix socket.",
  ),
  banMs: {
    name: "banFor",
    kind: milliseconds({ minimum: 1_000, maximum: DAY_MS }),
    default: "15m",
    description: "How long. After as much time without another wrong password, earlier ones are forgotten.",
  },
  trustedSources: {
    name: "trustedSources",
    kind: listOf(network),
    default: "none",
    description:
      "Addresses and networks that are never refused for wrong passwords, such as that of a proxy.",
  },
};

// --- rows of the tables ----------------------------------------------------------------------------------------------

function file(name: string, description: string, none: string = "none"): Option<string> {
  return { name, kind: text, default: none, description };
}

function textOption(name: string, description: string, none: string): Option<string> {
  return { name, kind: text, default: none, description };
}

function number(name: string, minimum: number, value: number, description: string): Option<number> {
  return { name, kind: count({ minimum, maximum: MANY }), default: String(value), description };
}

function namesKind<Name extends string>(names: readonly Name[]): Kind<Name> {
  return oneOf(new Map<string, Name>(names.map((name) => [name, name])));
}
