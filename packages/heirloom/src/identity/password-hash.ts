// Hashes of passwords as they stand in a password file: our own scrypt, Argon2id, SCRAM-SHA-256, and Mosquitto's two.
//
//   $scrypt$ln=15,r=8,p=3$salt$hash            ours (PHC string format; N = 2^ln)
//   $argon2id$v=19$m=..,t=..,p=..$salt$hash    PHC string format, also Mosquitto from 2.1 on
//   $scram-sha-256$i=4096$salt$storedKey$serverKey
//   $7$iterations$salt$hash                    Mosquitto: PBKDF2 with HMAC-SHA-512
//   $6$salt$hash                               Mosquitto before 2.0: one SHA-512
//
// Everything that costs time runs outside the event loop.

import { createHash, pbkdf2, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { readBase64, unpaddedBase64 } from "./base64.ts";
import { parseScram, type ScramCredential } from "./scram-credential.ts";

const pbkdf2Async = promisify(pbkdf2);

/** One stored password. */
export interface PasswordHash {
  /** As it stands in the file. */
  readonly text: string;
  /** Present when the client may prove that it knows the password without sending it. */
  readonly scram?: ScramCredential;
  /** Whether this is the password, byte by byte. Takes as long for a wrong one. */
  verify(password: Uint8Array): Promise<boolean>;
}

/** What is wrong with a text that should be a hash, in words that follow "expected". */
export interface HashFault {
  readonly fault: string;
}

/** The parameters of new hashes: 32 MiB and about a tenth of a second; one of those that OWASP names. */
const SCRYPT = { ln: 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Larger ones in a file are refused: one login would take seconds, or all memory. */
const MAXIMUM_MEMORY_BYTES = 2 ** 28;
const MAXIMUM_ITERATIONS = 10_000_000;

/** Reads one hash. Never throws. */
export function parsePasswordHash(text: string): PasswordHash | HashFault {
  const hash = parseHash(text);
  if ("fault" in hash) return hash;
  return {
    ...hash,
    verify: async (password) => {
      const isRight = await hash.verify(password);
      // HMAC fills short keys up with zeros, so that PBKDF2 and scrypt cannot tell "secret" from "secret\0".
      return isRight && password[password.length - 1] !== 0;
    },
  };
}

function parseHash(text: string): PasswordHash | HashFault {
  const [empty, kind = "", ...fields] = text.split("$");
  if (empty !== "") return { fault: "a hash that begins with $" };
  switch (kind) {
    case "scrypt":
      return parseScrypt(text, fields);
    case "argon2id":
      return parseArgon2(text, fields);
    case "scram-sha-256":
      return parseScramHash(text, fields);
    case "7":
      return parsePbkdf2(text, fields);
    case "6":
      return parseSha512(text, fields);
    default:
      return { fault: "a hash of kind $scrypt$, $argon2id$, $scram-sha-256$, $7$ or $6$" };
  }
}

/** Makes a hash of our own kind for a password. */
export async function hashPassword(password: Uint8Array): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await scryptHash(password, salt, SCRYPT, HASH_BYTES);
  return scryptText(salt, hash);
}

function scryptText(salt: Buffer, hash: Buffer): string {
  const { ln, r, p } = SCRYPT;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpaddedBase64(salt)}$${unpaddedBase64(hash)}`;
}

function parseScrypt(text: string, fields: readonly string[]): PasswordHash | HashFault {
  const expected = { fault: "$scrypt$ln=15,r=8,p=3$salt$hash" };
  const [parameters = "", saltText = "", hashText = ""] = fields;
  const match = /^ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})$/.exec(parameters);
  const salt = readBase64(saltText);
  const hash = readBase64(hashText);
  if (fields.length !== 3 || match === null || salt === undefined || hash === undefined) return expected;
  const cost = { ln: Number(match[1]), r: Number(match[2]), p: Number(match[3]) };
  if (cost.ln < 1 || cost.r < 1 || cost.p < 1 || hash.length < 16) return expected;
  if (128 * cost.r * (2 ** cost.ln + cost.p) > MAXIMUM_MEMORY_BYTES || cost.p > 64) {
    return { fault: "scrypt that takes at most 256 MiB and p at most 64" };
  }
  return {
    text,
    verify: async (password) => timingSafeEqual(await scryptHash(password, salt, cost, hash.length), hash),
  };
}

function scryptHash(
  password: Uint8Array,
  salt: Uint8Array,
  cost: { readonly ln: number; readonly r: number; readonly p: number },
  length: number,
): Promise<Buffer> {
  const options = { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: 2 * MAXIMUM_MEMORY_BYTES };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });
}

function parseArgon2(text: string, fields: readonly string[]): PasswordHash | HashFault {
  const expected = { fault: "$argon2id$v=19$m=..,t=..,p=..$salt$hash" };
  const [version, parameters = "", salt = "", hash = ""] = fields;
  const match = /^m=(\d{1,9}),t=(\d{1,4}),p=(\d{1,3})$/.exec(parameters);
  if (fields.length !== 4 || version !== "v=19" || match === null) return expected;
  // The package wants what the PHC format says: no padding.
  const isPadded = salt.endsWith("=") || hash.endsWith("=");
  const saltBytes = readBase64(salt);
  const hashBytes = readBase64(hash);
  if (isPadded || saltBytes === undefined || hashBytes === undefined) return expected;
  if (saltBytes.length < 8 || hashBytes.length < 16) return expected;
  const [, memoryKib, iterations, parallelism] = match.map(Number);
  if (memoryKib === undefined || iterations === undefined || parallelism === undefined) return expected;
  if (iterations < 1 || parallelism < 1 || memoryKib < 8 * parallelism) return expected;
  if (memoryKib * 1_024 > MAXIMUM_MEMORY_BYTES) return { fault: "Argon2 that takes at most 256 MiB" };
  return {
    text,
    verify: async (password) => {
      // Not its `verify`, which takes texts only: a password is bytes. Argon2id, v=19 is what it makes unless told.
      const { hashRaw } = await import("@node-rs/argon2");
      const hash = await hashRaw(password, {
        memoryCost: memoryKib,
        timeCost: iterations,
        parallelism,
        outputLen: hashBytes.length,
        salt: saltBytes,
      });
      return timingSafeEqual(hash, hashBytes);
    },
  };
}

function parsePbkdf2(text: string, fields: readonly string[]): PasswordHash | HashFault {
  const [iterationText = "", saltText = "", hashText = ""] = fields;
  const iterations = /^\d{1,8}$/.test(iterationText) ? Number(iterationText) : 0;
  const salt = readBase64(saltText);
  const hash = readBase64(hashText);
  const isWhole = fields.length === 3 && salt !== undefined && hash?.length === 64;
  if (!isWhole || iterations < 1 || iterations > MAXIMUM_ITERATIONS) {
    return { fault: `$7$iterations$salt$hash with 1 to ${MAXIMUM_ITERATIONS} iterations` };
  }
  return {
    text,
    verify: async (password) =>
      timingSafeEqual(await pbkdf2Async(password, salt, iterations, hash.length, "sha512"), hash),
  };
}

function parseSha512(text: string, fields: readonly string[]): PasswordHash | HashFault {
  const [saltText = "", hashText = ""] = fields;
  const salt = readBase64(saltText);
  const hash = readBase64(hashText);
  if (fields.length !== 2 || salt === undefined || hash?.length !== 64) return { fault: "$6$salt$hash" };
  return {
    text,
    verify: (password) =>
      Promise.resolve(timingSafeEqual(createHash("sha512").update(password).update(salt).digest(), hash)),
  };
}

function parseScramHash(text: string, fields: readonly string[]): PasswordHash | HashFault {
  const scram = parseScram(fields);
  if (scram === undefined) return { fault: "$scram-sha-256$i=iterations$salt$storedKey$serverKey" };
  return { text, scram, verify: (password) => scram.verify(password) };
}
