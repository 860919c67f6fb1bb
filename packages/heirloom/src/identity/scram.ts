// SCRAM-SHA-256 as a method of enhanced authentication: the password never crosses the network, and the server shows that it
// knows it too. RFC 5802, RFC 7677; MQTT 5.0 section 4.12. Channel binding (-PLUS) is not offered.
//
//   CONNECT  n,,n=user,r=clientNonce            -> AUTH     r=clientNonce+serverNonce,s=salt,i=iterations
//   AUTH     c=biws,r=nonces,p=clientProof      -> CONNACK  v=serverSignature

import { createHmac, randomBytes } from "node:crypto";
import { ReasonCode } from "@heirloom/codec";
import type { AuthExchange, AuthMethod, AuthStep, ClientInfo, Refusal } from "@heirloom/core";
import { readBase64 } from "./base64.ts";
import { WRONG_CREDENTIALS } from "./password-authenticator.ts";
import type { PasswordFile } from "./password-file.ts";
import { SCRAM_ITERATIONS, ScramCredential } from "./scram-credential.ts";

export const SCRAM_METHOD = "SCRAM-SHA-256";

const NONCE_BYTES = 24;
const MAXIMUM_MESSAGE_BYTES = 8_192;
const SALT_BYTES = 16;
/** Where no user has a credential, unknown ones get salts of this key. */
const PROCESS_KEY = randomBytes(32);

/** What an exchange asks and tells on its way. */
export interface ScramWatch {
  /** Whether the user is refused unseen, because of wrong proofs before. */
  refusal(client: ClientInfo, username: string): Refusal | undefined;
  failed(client: ClientInfo, username: string): void;
  succeeded(client: ClientInfo, username: string): void;
}

/** The method, with the users of a password file that have SCRAM credentials. */
export class ScramMethod implements AuthMethod {
  readonly #file: () => PasswordFile;
  readonly #watch: ScramWatch;
  readonly #makeNonce: () => string;

  /** @param makeNonce printable characters without a comma; another one only in tests. */
  constructor(file: () => PasswordFile, watch: ScramWatch, makeNonce: () => string = newNonce) {
    this.#file = file;
    this.#watch = watch;
    this.#makeNonce = makeNonce;
  }

  start(client: ClientInfo): AuthExchange {
    return new ScramExchange(this.#file, this.#watch, client, this.#makeNonce());
  }
}

/** What was agreed after the first message. */
interface Started {
  readonly username: string;
  readonly gs2Header: string;
  readonly nonce: string;
  readonly credential: ScramCredential;
  /** Whether there is such a user; otherwise no proof is right. */
  readonly isKnown: boolean;
  readonly messages: string;
}

class ScramExchange implements AuthExchange {
  readonly #file: () => PasswordFile;
  readonly #watch: ScramWatch;
  readonly #client: ClientInfo;
  readonly #serverNonce: string;
  #started: Started | undefined;
  #isOver = false;

  constructor(file: () => PasswordFile, watch: ScramWatch, client: ClientInfo, serverNonce: string) {
    this.#file = file;
    this.#watch = watch;
    this.#client = client;
    this.#serverNonce = serverNonce;
  }

  step(data: Uint8Array | undefined): AuthStep {
    const message = this.#isOver ? undefined : textOf(data);
    if (message === undefined) return this.#malformed("expected a SCRAM message");
    return this.#started === undefined ? this.#first(message) : this.#final(message, this.#started);
  }

  #first(message: string): AuthStep {
    const first = parseClientFirst(message);
    if (typeof first === "string") return this.#malformed(first);
    const { username, bare, gs2Header, clientNonce } = first;
    const refusal = this.#watch.refusal(this.#client, username);
    if (refusal !== undefined) return this.#refuse(refusal);
    const known = this.#file().users.get(username)?.scram;
    const credential = known ?? fakeCredential(this.#file(), username);
    const nonce = clientNonce + this.#serverNonce;
    const serverFirst = `r=${nonce},s=${credential.salt.toString("base64")},i=${credential.iterations}`;
    const messages = `${bare},${serverFirst}`;
    this.#started = { username, gs2Header, nonce, credential, isKnown: known !== undefined, messages };
    return { outcome: "continue", data: Buffer.from(serverFirst) };
  }

  #final(message: string, started: Started): AuthStep {
    const final = parseClientFinal(message);
    if (typeof final === "string") return this.#malformed(final);
    const { username, credential } = started;
    const refusal = this.#watch.refusal(this.#client, username);
    if (refusal !== undefined) return this.#refuse(refusal);
    const isBound = final.channelBinding === Buffer.from(started.gs2Header).toString("base64");
    if (!isBound || final.nonce !== started.nonce) return this.#malformed("another nonce or channel binding");
    const authMessage = `${started.messages},${final.withoutProof}`;
    // The work is the same for a user that there is not.
    const isProved = credential.accepts(final.proof, authMessage);
    // The file may have been read anew since the first message.
    const isCurrent = this.#file().users.get(username)?.scram?.storedKey.equals(credential.storedKey);
    this.#isOver = true;
    if (!isProved || !started.isKnown || isCurrent !== true) {
      this.#watch.failed(this.#client, username);
      return this.#refuse(WRONG_CREDENTIALS);
    }
    this.#watch.succeeded(this.#client, username);
    const signature = credential.serverSignature(authMessage).toString("base64");
    return { outcome: "success", data: Buffer.from(`v=${signature}`), username, account: username };
  }

  #malformed(reasonString: string): AuthStep {
    return this.#refuse({ reasonCode: ReasonCode.NOT_AUTHORIZED, reasonString });
  }

  #refuse(refusal: Refusal): AuthStep {
    this.#isOver = true;
    return { outcome: "refuse", ...refusal };
  }
}

/** RFC 5802 section 7: client-first-message. @returns what is wrong, otherwise its parts. */
function parseClientFirst(
  message: string,
): { username: string; bare: string; gs2Header: string; clientNonce: string } | string {
  const match = /^([ny]),(a=[^,]*)?,(n=([^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(message);
  if (match === null) return "expected n,,n=user,r=nonce; channel binding is not offered";
  const [, flag = "", authorizationId, bare = "", name = "", clientNonce = ""] = match;
  if (authorizationId !== undefined) return "to act for another user is not offered";
  const username = unescapeName(name);
  if (username === undefined) return "a user name that is wrongly escaped";
  return { username, bare, gs2Header: `${flag},,`, clientNonce };
}

/** RFC 5802 section 7: client-final-message. */
function parseClientFinal(
  message: string,
): { channelBinding: string; nonce: string; proof: Uint8Array; withoutProof: string } | string {
  const match = /^(c=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([^,]+)$/s.exec(message);
  const proof = readBase64(match?.[4] ?? "");
  if (match === null || proof === undefined) return "expected c=..,r=nonce,p=proof";
  const [, withoutProof = "", channelBinding = "", nonce = ""] = match;
  return { channelBinding, nonce, proof, withoutProof };
}

/** A comma is written =2C and an equals sign =3D; no other escape exists. */
function unescapeName(name: string): string | undefined {
  if (name === "" || /=(?!2C|3D)/.test(name)) return undefined;
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}

/** Whoever asks for a user that there is not gets a salt too, and always the same one. */
function fakeCredential(file: PasswordFile, username: string): ScramCredential {
  const some = file.hashes.find(({ scram }) => scram !== undefined)?.scram;
  // A key that outlives this process where there is one: a salt that changes with a restart would tell.
  const key = some?.serverKey ?? PROCESS_KEY;
  const digest = createHmac("sha256", key).update(`salt of ${username}`).digest();
  const keys = createHmac("sha512", key).update(`keys of ${username}`).digest();
  const salt = digest.subarray(0, some?.salt.length ?? SALT_BYTES);
  return new ScramCredential(
    some?.iterations ?? SCRAM_ITERATIONS,
    salt,
    keys.subarray(0, 32),
    keys.subarray(32),
  );
}

function textOf(data: Uint8Array | undefined): string | undefined {
  if (data === undefined || data.length > MAXIMUM_MESSAGE_BYTES) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}

function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString("base64");
}
