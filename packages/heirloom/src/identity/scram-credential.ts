// What a server keeps of a password for SCRAM-SHA-256: enough to check a proof, not enough to log in elsewhere.
// RFC 5802 section 3, RFC 7677; the form in the password file is that of RFC 5803 in PHC clothes.

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { readBase64 } from "./base64.ts";

const pbkdf2Async = promisify(pbkdf2);

/** RFC 7677 section 4 wants at least 4096. */
export const SCRAM_ITERATIONS = 4_096;
const MAXIMUM_ITERATIONS = 10_000_000;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** StoredKey and ServerKey of one user. */
export class ScramCredential {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;

  constructor(iterations: number, salt: Buffer, storedKey: Buffer, serverKey: Buffer) {
    this.iterations = iterations;
    this.salt = salt;
    this.storedKey = storedKey;
    this.serverKey = serverKey;
  }

  /** Makes the credential of a password that was prepared. */
  static async make(
    password: Uint8Array,
    salt: Buffer = randomBytes(SALT_BYTES),
    iterations: number = SCRAM_ITERATIONS,
  ): Promise<ScramCredential> {
    const salted = await pbkdf2Async(password, salt, iterations, KEY_BYTES, "sha256");
    const storedKey = sha256(hmac(salted, "Client Key"));
    return new ScramCredential(iterations, salt, storedKey, hmac(salted, "Server Key"));
  }

  /** Whether a password that was sent as such is the one, byte by byte in its prepared form. */
  async verify(password: Uint8Array): Promise<boolean> {
    const other = await ScramCredential.make(password, this.salt, this.iterations);
    return timingSafeEqual(other.storedKey, this.storedKey);
  }

  /** Whether a proof shows that its maker has the ClientKey. RFC 5802 section 3. */
  accepts(proof: Uint8Array, authMessage: string): boolean {
    if (proof.length !== KEY_BYTES) return false;
    const clientSignature = hmac(this.storedKey, authMessage);
    const clientKey = Buffer.alloc(KEY_BYTES);
    for (let index = 0; index < KEY_BYTES; index++)
      clientKey[index] = proof[index]! ^ clientSignature[index]!;
    return timingSafeEqual(sha256(clientKey), this.storedKey);
  }

  /** Shows the client that the server knows its password too. */
  serverSignature(authMessage: string): Buffer {
    return hmac(this.serverKey, authMessage);
  }

  /** As it stands in a password file. */
  toText(): string {
    const keys = [this.salt, this.storedKey, this.serverKey].map((key) => key.toString("base64"));
    return `$scram-sha-256$i=${this.iterations}$${keys.join("$")}`;
  }
}

/**
 * Brings a password into the one form that SCRAM hashes (SASLprep, RFC 4013): other blanks become blanks, what is not seen
 * is left out, and composed characters have one form. Nothing changes for ASCII.
 *
 * @returns `undefined` when it is no text, or has characters that no password may have.
 */
export function preparePassword(password: Uint8Array): Uint8Array | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(password);
  } catch {
    return undefined;
  }
  const prepared = text
    .replace(/\p{Zs}/gu, " ")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .normalize("NFKC");
  return prepared === "" || /[\p{Cc}\p{Co}\p{Cs}]/u.test(prepared)
    ? undefined
    : Buffer.from(prepared, "utf8");
}

/** Reads the fields behind `$scram-sha-256$`. */
export function parseScram(fields: readonly string[]): ScramCredential | undefined {
  const [iterationText = "", ...keys] = fields;
  const iterations = Number(/^i=(\d{1,8})$/.exec(iterationText)?.[1] ?? 0);
  const [salt, storedKey, serverKey] = keys.map(readBase64);
  if (keys.length !== 3 || salt === undefined) return undefined;
  if (storedKey?.length !== KEY_BYTES || serverKey?.length !== KEY_BYTES) return undefined;
  if (iterations < SCRAM_ITERATIONS || iterations > MAXIMUM_ITERATIONS) return undefined;
  return new ScramCredential(iterations, salt, storedKey, serverKey);
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
