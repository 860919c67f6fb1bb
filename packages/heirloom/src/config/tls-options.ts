// The options of TLS on one listener. What is in the files is looked at where they are read, transports/tls-files.ts.

import { groups } from "./fields.ts";
import { count, oneOf, path, text } from "./kinds.ts";
import type { Kind, OptionTable } from "./option.ts";
import { MAXIMUM } from "./options.ts";

/** The path of a PEM file; in a program also its contents: a text with `-----BEGIN` in it, or bytes. */
export type PemSource = string | Uint8Array;

/** What a server shows and how it proves that. */
export interface ServerIdentity {
  /** The server's certificate, then those that lead to a root, without the root. */
  readonly certificate: PemSource;
  /** The private key of the first certificate. */
  readonly key: PemSource;
  /** A file with the passphrase of the key. */
  readonly keyPassphraseFile?: string;
}

/** What is shown to clients that ask for this name (SNI). */
export interface ServerNameOptions extends ServerIdentity {
  /** `mqtt.example.org`, or `*.example.org` for all names one level below. */
  readonly name: string;
}

/** TLS on one listener. */
export interface TlsOptions extends ServerIdentity {
  /** The authorities whose clients' certificates are accepted. Needed to ask for certificates. */
  readonly ca?: PemSource;
  /** Whether clients are asked for a certificate. Default "none". One that is shown has to be good in any case. */
  readonly clientCertificate?: "none" | "optional" | "required";
  /** Revocation lists, one of each authority in `ca`. */
  readonly crl?: PemSource;
  /** Default "1.2". */
  readonly minimumVersion?: "1.2" | "1.3";
  /** In OpenSSL's notation. Default: forward secrecy and authenticated encryption only. */
  readonly ciphers?: string;
  readonly serverNames?: readonly ServerNameOptions[];
  /** Handshakes at the same time; further ones wait. Default 256. */
  readonly handshakes?: number;
}

export const DEFAULT_TLS_HANDSHAKES = 256;

export function isPemText(source: PemSource): boolean {
  return typeof source !== "string" || source.includes("-----BEGIN");
}

const pem: Kind<PemSource> = {
  expected: "the path of a PEM file",
  expectedOfProgram: "the path of a PEM file, or its contents",
  read: (value) => path.read(value),
  accepts: (value) => (value instanceof Uint8Array ? value.length > 0 : path.accepts(value)),
  show: (value) => (isPemText(value) ? "a PEM text" : String(value)),
  from: (value, directory) => (typeof value === "string" ? (path.from?.(value, directory) ?? value) : value),
};

const IDENTITY: OptionTable<ServerIdentity> = {
  certificate: {
    name: "certificate",
    kind: pem,
    default: "none, it has to be given",
    description: "The server's certificate, followed by those that lead to a root, in PEM.",
  },
  key: {
    name: "key",
    kind: pem,
    default: "none, it has to be given",
    description:
      "The private key of the certificate, in PEM. There is a warning when others may read the file.",
  },
  keyPassphraseFile: {
    name: "keyPassphraseFile",
    kind: path,
    default: "the key has no passphrase",
    description: "A file with the passphrase of the key in its first line.",
  },
};

const SERVER_NAMES: Kind<readonly ServerNameOptions[]> = groups<ServerNameOptions>(
  {
    name: {
      name: "name",
      kind: text,
      default: "none, it has to be given",
      description: "`mqtt.example.org`, or `*.example.org` for all names one level below it.",
    },
    ...IDENTITY,
  },
  ["name", "certificate", "key"],
);

export const TLS_OPTIONS: OptionTable<TlsOptions> = {
  ...IDENTITY,
  ca: {
    name: "ca",
    kind: pem,
    default: "none; `clientCertificate` needs it",
    description:
      "The authorities whose certificates clients may show, in PEM. Those of the system are not accepted.",
  },
  clientCertificate: {
    name: "clientCertificate",
    kind: oneOf(
      new Map<string, "none" | "optional" | "required">([
        ["none", "none"],
        ["optional", "optional"],
        ["required", "required"],
      ]),
    ),
    default: "none",
    description:
      "Whether clients are asked for a certificate. With `optional` they may have none, but one that they show has to be " +
      "good. Sessions of TLS are not resumed then, so that each connection is checked against the present `ca` and `crl`.",
  },
  crl: {
    name: "crl",
    kind: pem,
    default: "nothing is revoked",
    description:
      "Revocation lists in PEM, one of each authority in `ca`. When one of them is out of date, no certificate of that " +
      "authority is accepted.",
  },
  minimumVersion: {
    name: "minimumVersion",
    kind: oneOf(
      new Map<string, "1.2" | "1.3">([
        ["1.2", "1.2"],
        ["1.3", "1.3"],
      ]),
    ),
    default: "1.2",
    description: "The oldest version of TLS that is spoken.",
  },
  ciphers: {
    name: "ciphers",
    kind: text,
    default: "AES-GCM and ChaCha20-Poly1305 with forward secrecy",
    description:
      "The ciphers in OpenSSL's notation, the preferred one first. Old devices may need others than the default.",
  },
  serverNames: {
    name: "serverNames",
    kind: SERVER_NAMES,
    default: "the same certificate for all names",
    description:
      "Other certificates for clients that ask for a name (SNI). Names that are not here get the listener's own.",
  },
  handshakes: {
    name: "handshakes",
    kind: count({ minimum: 1, maximum: MAXIMUM.u16 }),
    default: String(DEFAULT_TLS_HANDSHAKES),
    description:
      "TLS handshakes at the same time; further connections wait for their turn. One that takes longer than two seconds gives way to those that wait.",
  },
};
