// A client certificate as identity: one value of one field is the user name. The transport has verified the certificate.
// Never looks at the printed form of a name, in which values and separators cannot be told apart.

import { ReasonCode } from "@heirloom/codec";
import type { ClientCertificate, Refusal } from "@heirloom/core";
import type { Answer, Attempt, Authenticator } from "./authenticator.ts";
import { usernameFault } from "./username.ts";

/** The part of a certificate that names the user. */
export type CertificateField = "commonName" | "dnsName" | "emailAddress" | "uri" | "fingerprint";

export class CertificateAuthenticator implements Authenticator {
  readonly name = "certificate";
  readonly #field: CertificateField;

  constructor(field: CertificateField) {
    this.#field = field;
  }

  authenticate({ client }: Attempt): Answer {
    const { certificate } = client;
    if (certificate === undefined) return "unknown";
    const values = valuesOf(certificate, this.#field);
    const [value] = values;
    if (value === undefined || values.length !== 1) {
      return refuse(`the certificate has ${values.length} values of ${this.#field}, expected one`);
    }
    const fault = usernameFault(value);
    return fault === undefined ? { username: value, account: value } : refuse(`${this.#field}: ${fault}`);
  }
}

function valuesOf(certificate: ClientCertificate, field: CertificateField): readonly string[] {
  switch (field) {
    case "commonName":
      return certificate.commonNames;
    case "dnsName":
      return certificate.dnsNames;
    case "emailAddress":
      return certificate.emailAddresses;
    case "uri":
      return certificate.uris;
    case "fingerprint":
      return [certificate.fingerprint256];
  }
}

function refuse(reasonString: string): Refusal {
  return { reasonCode: ReasonCode.NOT_AUTHORIZED, reasonString };
}
