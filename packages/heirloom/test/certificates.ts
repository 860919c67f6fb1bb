// The certificates of the tests. test/certificates/make.sh makes them anew.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of one of them, such as "client.pem". */
export function certificateFile(name: string): string {
  return fileURLToPath(new URL(`../test/certificates/${name}`, import.meta.url));
}

/** Certificate and key of a client, as `tls.connect` wants them. */
export function clientPair(name: string): { readonly cert: Buffer; readonly key: Buffer } {
  return {
    cert: readFileSync(certificateFile(`${name}.pem`)),
    key: readFileSync(certificateFile(`${name}.key`)),
  };
}

/** Certificate and key of a server, as the options of a listener want them. */
export function serverPair(name: string): { readonly certificate: string; readonly key: string } {
  return { certificate: certificateFile(`${name}.pem`), key: certificateFile(`${name}.key`) };
}
