// Where the keys come from that tokens are signed with: a set of public keys (JWKS) in a file or at a URL, one public key in
// PEM, or a secret. What may be used with a key follows from the key, never from the token. RFC 7517, 7518, 8725.

import { createPublicKey, type KeyObject } from "node:crypto";
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { messageOf } from "../errors.ts";
import { isObject } from "./claims.ts";
import { fileError, readBytes, withoutLineEnd } from "./files.ts";

/** Keys, and the algorithms that they may be used with. */
export interface TokenKeys {
  readonly getKey: JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

/** What is there before a file was read: no token is believed. */
export const NO_KEYS: TokenKeys = {
  getKey: () => Promise.reject(new Error("the keys were not read yet")),
  algorithms: [],
};

const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const HMAC = ["HS256", "HS384", "HS512"];
/** All of a set: which one a key is for follows from its type and curve. No HMAC: the keys of a set are public. */
export const PUBLIC_ALGORITHMS: readonly string[] = [...RSA, "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];
const BY_CURVE: ReadonlyMap<string, string> = new Map([
  ["prime256v1", "ES256"],
  ["secp384r1", "ES384"],
  ["secp521r1", "ES512"],
]);

const MINIMUM_RSA_BITS = 2_048;
/** RFC 7518 section 3.2: as long as the hash. */
const MINIMUM_SECRET_BYTES = 32;

/** A JWKS that was read, from wherever. @throws Error saying what is wrong with it. */
export function keysOfSet(value: unknown): TokenKeys {
  if (!isObject(value) || !Array.isArray(value["keys"]))
    throw new Error("expected a JWKS: an object with `keys`");
  const keys: readonly unknown[] = value["keys"];
  if (keys.length === 0) throw new Error("a JWKS without keys");
  for (const key of keys) {
    if (!isObject(key) || typeof key["kty"] !== "string") throw new Error("a key without `kty`");
    if (key["kty"] === "oct") throw new Error("a symmetric key (`kty: oct`) in a set of public keys");
  }
  return { getKey: createLocalJWKSet(setOf(keys)), algorithms: PUBLIC_ALGORITHMS };
}

function setOf(keys: readonly unknown[]): JSONWebKeySet {
  return { keys: keys.filter((key) => isObject(key)).map((key) => ({ ...key, kty: String(key["kty"]) })) };
}

/** @throws ConfigError */
export async function readKeySet(file: string): Promise<TokenKeys> {
  return fromFile(file, (bytes) => keysOfSet(JSON.parse(bytes.toString("utf8"))));
}

/** One public key, or a certificate, in PEM. @throws ConfigError */
export async function readPublicKey(file: string): Promise<TokenKeys> {
  return fromFile(file, (bytes) => {
    if (bytes.includes("PRIVATE KEY")) throw new Error("seen a private key, expected the public one");
    const key = createPublicKey(bytes);
    const algorithms = algorithmsOf(key);
    return { getKey: () => key, algorithms };
  });
}

/** The bytes of a file, without a line end behind them. @throws ConfigError */
export async function readTokenSecret(file: string, warn: (message: string) => void): Promise<TokenKeys> {
  const parse = (bytes: Buffer): TokenKeys => {
    // A key in PEM would be known to everybody.
    if (bytes.includes("-----BEGIN")) throw new Error("seen a key in PEM, expected a secret");
    const secret = withoutLineEnd(bytes);
    if (secret.length < MINIMUM_SECRET_BYTES) {
      throw new Error(`seen ${secret.length} bytes, expected a secret of at least ${MINIMUM_SECRET_BYTES}`);
    }
    return { getKey: () => secret, algorithms: HMAC };
  };
  return fromFile(file, parse, warn);
}

async function fromFile(
  file: string,
  parse: (bytes: Buffer) => TokenKeys,
  warn?: (message: string) => void,
): Promise<TokenKeys> {
  const { bytes, warnings } = await readBytes(file);
  try {
    return parse(bytes);
  } catch (error) {
    // The parser's own words may quote the text.
    throw fileError(file, error instanceof SyntaxError ? "is not JSON" : messageOf(error));
  } finally {
    // Public keys are for everybody.
    for (const warning of warnings) warn?.(warning);
  }
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  switch (asymmetricKeyType) {
    case "rsa": {
      const bits = asymmetricKeyDetails?.modulusLength ?? 0;
      if (bits < MINIMUM_RSA_BITS)
        throw new Error(`an RSA key of ${bits} bits, expected ${MINIMUM_RSA_BITS}`);
      return RSA;
    }
    case "ed25519":
      return ["EdDSA", "Ed25519"];
    case "ec": {
      const algorithm = BY_CURVE.get(asymmetricKeyDetails?.namedCurve ?? "");
      if (algorithm !== undefined) return [algorithm];
      break;
    }
    default:
  }
  throw new Error("seen another kind of key, expected RSA, P-256, P-384, P-521 or Ed25519");
}
