// What a client's certificate says of it. From its DER, not from texts made for display: there a name may contain what
// looks like the next name, and all but one Common Name may be missing. RFC 5280 sections 4.1 and 4.2.1.6.

import type { X509Certificate } from "node:crypto";
import type { ClientCertificate } from "@heirloom/core";
import { DerError, type DerElement, readAscii, readElements, readText } from "./der.ts";

/** Object identifiers as they are encoded: id-at-commonName 2.5.4.3, id-ce-subjectAltName 2.5.29.17. */
const COMMON_NAME = "550403";
const SUBJECT_ALT_NAME = "551d11";

/** Tags of GeneralName, RFC 5280 section 4.2.1.6. */
const GeneralName = { EMAIL_ADDRESS: 0x81, DNS_NAME: 0x82, URI: 0x86 } as const;

const EXPLICIT_VERSION = 0xa0;
const EXPLICIT_EXTENSIONS = 0xa3;
const SET = 0x31;
const OCTET_STRING = 0x04;

/**
 * Reads a certificate that was verified.
 *
 * @throws DerError when one of its names could be taken for another: NUL, control characters, no UTF-8.
 */
export function clientCertificateOf(certificate: X509Certificate): ClientCertificate {
  const raw: Uint8Array = certificate.raw;
  const fields = fieldsOf(raw);
  const subject = fields[4];
  if (subject === undefined) throw new DerError("a certificate without subject");
  const names = alternativeNames(fields.find(({ tag }) => tag === EXPLICIT_EXTENSIONS));
  return {
    commonNames: commonNames(subject),
    dnsNames: namesOf(names, GeneralName.DNS_NAME),
    emailAddresses: namesOf(names, GeneralName.EMAIL_ADDRESS),
    uris: namesOf(names, GeneralName.URI),
    serialNumber: certificate.serialNumber,
    fingerprint256: certificate.fingerprint256,
    validToMs: Date.parse(certificate.validTo),
    raw,
  };
}

/** Serial number, algorithm, issuer, validity, subject, key, then what is optional. */
function fieldsOf(raw: Uint8Array): DerElement[] {
  const fields = inside(inside({ tag: 0, contents: raw })[0])[0];
  return inside(fields).filter(({ tag }) => tag !== EXPLICIT_VERSION);
}

function inside(element: DerElement | undefined): DerElement[] {
  if (element === undefined) throw new DerError("a certificate that is cut off");
  return readElements(element.contents);
}

/** Name ::= SEQUENCE OF SET OF SEQUENCE { type, value }. All Common Names in their order. */
function commonNames(subject: DerElement): string[] {
  const found: string[] = [];
  for (const set of inside(subject)) {
    if (set.tag !== SET) throw new DerError("a subject that is no name");
    for (const attribute of inside(set)) {
      const [type, value] = inside(attribute);
      if (type === undefined || value === undefined) throw new DerError("a subject that is no name");
      if (hexOf(type) === COMMON_NAME) found.push(readText(value));
    }
  }
  return found;
}

/** The names of the extension subjectAltName, if it is there. */
function alternativeNames(extensions: DerElement | undefined): DerElement[] {
  if (extensions === undefined) return [];
  for (const extension of inside(inside(extensions)[0])) {
    const [type, ...rest] = inside(extension);
    if (type === undefined || hexOf(type) !== SUBJECT_ALT_NAME) continue;
    return inside(inside(rest.find(({ tag }) => tag === OCTET_STRING))[0]);
  }
  return [];
}

function namesOf(names: readonly DerElement[], tag: number): string[] {
  return names.filter((name) => name.tag === tag).map(({ contents }) => checked(readAscii(contents)));
}

function checked(name: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) throw new DerError("a name with control characters");
  return name;
}

function hexOf({ contents }: DerElement): string {
  return Buffer.from(contents).toString("hex");
}
