// Makes a client certificate whose Common Name is "admin", NUL, ".example": node make-nul.mjs CA CA-KEY NAME
// Builds the DER by hand, because tools refuse to write such a name.

import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const [caFile, caKeyFile, name] = process.argv.slice(2);
const caKey = createPrivateKey(readFileSync(caKeyFile));
const ca = new X509Certificate(readFileSync(caFile));

const element = (tag, ...parts) => {
  const contents = Buffer.concat(parts);
  const { length } = contents;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), contents]);
};
const sequence = (...parts) => element(0x30, ...parts);
const object = (hex) => element(0x06, Buffer.from(hex, "hex"));
const time = (text) => element(0x18, Buffer.from(text));

/** The subject of a certificate: the sixth field behind its version. */
const subjectOf = (der) => {
  const contents = (bytes) => {
    const long = bytes[1] & 0x80 ? bytes[1] & 0x7f : 0;
    let length = bytes[1];
    if (long > 0) length = bytes.readUIntBE(2, long);
    return { start: 2 + long, end: 2 + long + length };
  };
  let rest = der.subarray(contents(der).start);
  rest = rest.subarray(contents(rest).start);
  for (let field = 0; field < 5; field++) rest = rest.subarray(contents(rest).end);
  return rest.subarray(0, contents(rest).end);
};

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const algorithm = sequence(object("2a8648ce3d040302"));
const commonName = sequence(object("550403"), element(0x0c, Buffer.from("admin\0.example")));
const extendedKeyUsage = sequence(object("551d25"), element(0x04, sequence(object("2b06010505070302"))));
const toBeSigned = sequence(
  element(0xa0, element(0x02, Buffer.of(2))),
  element(0x02, Buffer.of(0x60, 0x01)),
  algorithm,
  subjectOf(ca.raw),
  sequence(time("20200101000000Z"), time("21200101000000Z")),
  sequence(element(0x31, commonName)),
  publicKey.export({ type: "spki", format: "der" }),
  element(0xa3, sequence(extendedKeyUsage)),
);
const signature = sign("sha256", toBeSigned, caKey);
const der = sequence(toBeSigned, algorithm, element(0x03, Buffer.of(0), signature));
const base64 = der.toString("base64").replace(/.{1,64}/g, "$&\n");
writeFileSync(`${name}.pem`, `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`);
writeFileSync(`${name}.key`, privateKey.export({ type: "pkcs8", format: "pem" }));
