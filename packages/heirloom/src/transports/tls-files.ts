// Reads and checks everything that TLS on a listener needs, before anything of it is used: what the files hold, that the
// key belongs to the certificate, that OpenSSL takes it all together.

import { constants, createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { isPemText, type PemSource, type ServerIdentity, type TlsOptions } from "../config/tls-options.ts";
import { ConfigError, messageOf } from "../errors.ts";

/** What a TLS server works with until files are read anew. */
export interface TlsMaterial {
  readonly context: SecureContextOptions;
  /** By names in lower case, which may begin with `*.`. */
  readonly serverNames: ReadonlyMap<string, SecureContext>;
  /** What an operator should look at, although it can be used. */
  readonly warnings: readonly string[];
  /** Those of `warnings` that are about the dates of certificates. */
  readonly dateWarnings: readonly string[];
}

/** Forward secrecy and authenticated encryption only; AES first, which nearly all processors have in hardware. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

const { SSL_OP_NO_COMPRESSION, SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } = constants;

/** A certificate that ends sooner is told of. Renewals that work by themselves come a month before the end. */
const SOON_MS = 14 * 86_400_000;

/** Mode bits of those who are neither the owner of a file nor in its group. */
const OTHERS_MAY_READ = 0o004;

/**
 * Reads the files of one listener.
 *
 * @throws ConfigError naming the option, the file and what is wrong with it.
 */
export async function readTls(tls: TlsOptions, listener: string): Promise<TlsMaterial> {
  const reader = new TlsReader(`listener ${JSON.stringify(listener)}: tls`);
  const common = await reader.common(tls);
  const context = { ...common, ...(await reader.identity(tls, "")) };
  reader.makeContext(context, "");
  const serverNames = new Map<string, SecureContext>();
  for (const [index, named] of (tls.serverNames ?? []).entries()) {
    const place = `.serverNames[${index}]`;
    const identity = await reader.identity(named, place);
    serverNames.set(
      reader.serverName(named.name, place),
      reader.makeContext({ ...common, ...identity }, place),
    );
  }
  const { warnings, dateWarnings } = reader;
  return { context, serverNames, warnings: [...warnings, ...dateWarnings], dateWarnings };
}

/** Reads for one listener and notes what is to be said about it. */
class TlsReader {
  readonly warnings: string[] = [];
  readonly dateWarnings: string[] = [];
  readonly #place: string;

  constructor(place: string) {
    this.#place = place;
  }

  /** What is the same for all server names. */
  async common(tls: TlsOptions): Promise<SecureContextOptions> {
    const asksForCertificates = tls.clientCertificate !== undefined && tls.clientCertificate !== "none";
    const resumption = asksForCertificates ? SSL_OP_NO_TICKET : 0;
    const common = {
      ciphers: tls.ciphers ?? CIPHERS,
      honorCipherOrder: true,
      minVersion: tls.minimumVersion === "1.3" ? "TLSv1.3" : "TLSv1.2",
      secureOptions: SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | resumption,
    } as const;
    if (!asksForCertificates) return common;
    const ca = await this.#certificates(tls.ca ?? "", ".ca");
    if (tls.crl === undefined) return { ...common, ca };
    return { ...common, ca, crl: await this.#blocks(tls.crl, "X509 CRL", "a revocation list", ".crl") };
  }

  /** The certificates to show and their key. */
  async identity(source: ServerIdentity, place: string): Promise<SecureContextOptions> {
    const chain = await this.#certificates(source.certificate, `${place}.certificate`);
    const certificate = new X509Certificate(chain[0] ?? "");
    this.#checkDates(certificate, source.certificate, `${place}.certificate`);
    const key = await this.#read(source.key, `${place}.key`);
    const passphrase = await this.#passphrase(source.keyPassphraseFile, place);
    try {
      if (!certificate.checkPrivateKey(createPrivateKey({ key, ...passphrase }))) {
        this.#fail(`${place}.key`, source.key, "is not the private key of the certificate");
      }
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      this.#fail(`${place}.key`, source.key, `cannot be read as a private key in PEM: ${messageOf(error)}`);
    }
    await this.#checkMode(source.key, `${place}.key`);
    return { cert: chain.join("\n"), key, ...passphrase };
  }

  /** What is left to go wrong: ciphers that do not exist, keys that are too short. */
  makeContext(options: SecureContextOptions, place: string): SecureContext {
    try {
      return createSecureContext(options);
    } catch (error) {
      throw this.#error(place, `cannot be used: ${messageOf(error)}`);
    }
  }

  /** A name that clients may ask for, in lower case. */
  serverName(name: string, place: string): string {
    if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name)) {
      throw this.#error(
        `${place}.name`,
        `seen ${JSON.stringify(name)}, expected a host name or *.example.org`,
      );
    }
    return name.toLowerCase();
  }

  /** At least one certificate, each of them readable. */
  async #certificates(source: PemSource, option: string): Promise<string[]> {
    const blocks = await this.#blocks(source, "CERTIFICATE", "a certificate", option);
    for (const block of blocks) {
      try {
        new X509Certificate(block);
      } catch (error) {
        this.#fail(option, source, `has a certificate that cannot be read: ${messageOf(error)}`);
      }
    }
    return blocks;
  }

  /** The PEM blocks of one kind; OpenSSL reads no more than the first revocation list of a text. */
  async #blocks(source: PemSource, label: string, expected: string, option: string): Promise<string[]> {
    const pem = await this.#read(source, option);
    const blocks = pem.match(new RegExp(`-----BEGIN ${label}-----[^]*?-----END ${label}-----`, "g")) ?? [];
    if (blocks.length === 0) this.#fail(option, source, `has nothing in it that is ${expected} in PEM`);
    return blocks;
  }

  async #passphrase(file: string | undefined, place: string): Promise<{ readonly passphrase?: string }> {
    if (file === undefined) return {};
    const [passphrase = ""] = (await this.#read(file, `${place}.keyPassphraseFile`)).split(/\r?\n/, 1);
    return { passphrase };
  }

  async #read(source: PemSource, option: string): Promise<string> {
    if (typeof source !== "string") return Buffer.from(source).toString("latin1");
    if (isPemText(source)) return source;
    try {
      return await readFile(source, "utf8");
    } catch (error) {
      throw this.#error(option, `cannot be read: ${messageOf(error)}`);
    }
  }

  #checkDates(certificate: X509Certificate, source: PemSource, option: string): void {
    const { validFrom, validTo } = certificate;
    const when = whenValid(Date.now(), validFrom, validTo);
    if (when === undefined) return;
    this.dateWarnings.push(`${this.#place}${option}${nameOf(source)}: the certificate's validity ${when}`);
  }

  async #checkMode(source: PemSource, option: string): Promise<void> {
    if (isPemText(source)) return;
    const { mode } = await stat(String(source));
    if ((mode & OTHERS_MAY_READ) === 0) return;
    const octal = (mode & 0o777).toString(8);
    this.warnings.push(
      `${this.#place}${option}${nameOf(source)}: everybody on this machine can read the private key (mode ${octal})`,
    );
  }

  #fail(option: string, source: PemSource, message: string): never {
    throw this.#error(option, `${nameOf(source).trimStart()} ${message}`.trimStart());
  }

  #error(option: string, message: string): ConfigError {
    return new ConfigError([{ option: `${this.#place}${option}`, message }]);
  }
}

/** What is to be said of a certificate's dates; `undefined` = nothing. */
export function whenValid(nowMs: number, validFrom: string, validTo: string): string | undefined {
  const leftMs = Date.parse(validTo) - nowMs;
  if (leftMs < 0) return `ended on ${validTo}`;
  if (Date.parse(validFrom) > nowMs) return `begins on ${validFrom}`;
  return leftMs < SOON_MS ? `ends on ${validTo}` : undefined;
}

/** The file, with a space before it. Contents are not shown: one of them is a private key. */
function nameOf(source: PemSource): string {
  return isPemText(source) ? "" : ` ${String(source)}`;
}
