// The parser of PROXY protocol headers: every slicing, every length, every byte changed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  MAXIMUM_PROXY_HEADER,
  parseProxyHeader,
  type ProxyHeader,
} from "../dist/transports/proxy-protocol.js";

const SIGNATURE = "0d0a0d0a000d0a515549540a";

function v1(line: string): Buffer {
  return Buffer.from(line, "latin1");
}

/** A header of version 2 of everything behind the signature, in hexadecimal digits, with its length put in. */
function v2(command: string, family: string, rest: string, length = rest.length / 2): Buffer {
  return Buffer.from(`${SIGNATURE}${command}${family}${length.toString(16).padStart(4, "0")}${rest}`, "hex");
}

const TCP4 = "cb007109c0000201c824075b";
const TCP6 = `20010db8${"00".repeat(11)}0120010db8${"00".repeat(11)}02c824075b`;
const MAPPED = `${"00".repeat(10)}ffffcb007109${"00".repeat(10)}ffffc0000201c824075b`;

function header(length: number, source?: string): ProxyHeader {
  return { outcome: "header", length, source };
}

describe("parseProxyHeader", () => {
  for (const [name, bytes, source] of [
    ["TCP4", v1("PROXY TCP4 203.0.113.9 192.0.2.1 51236 1883\r\n"), "203.0.113.9:51236"],
    ["TCP6", v1("PROXY TCP6 2001:db8::1 2001:db8::2 51236 1883\r\n"), "[2001:db8::1]:51236"],
    [
      "TCP6 of IPv4",
      v1("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 51236 1883\r\n"),
      "203.0.113.9:51236",
    ],
    ["TCP6 of IPv4 in digits", v1("PROXY TCP6 ::FFFF:cb00:7109 ::1 51236 1883\r\n"), "203.0.113.9:51236"],
    [
      "TCP6 of IPv4, all groups",
      v1("PROXY TCP6 0:0:0:0:0:ffff:cb00:7109 ::1 51236 1883\r\n"),
      "203.0.113.9:51236",
    ],
    ["UNKNOWN alone", v1("PROXY UNKNOWN\r\n"), undefined],
    ["UNKNOWN with anything", v1("PROXY UNKNOWN ffff:f::ffff what ever 1 2\r\n"), undefined],
    ["TCP4", v2("21", "11", TCP4), "203.0.113.9:51236"],
    ["TCP6", v2("21", "21", TCP6), "[2001:db8::1]:51236"],
    ["TCP6 of IPv4", v2("21", "21", MAPPED), "203.0.113.9:51236"],
    ["TCP4 with TLVs", v2("21", "11", `${TCP4}0400020000ee0000`), "203.0.113.9:51236"],
    ["LOCAL", v2("20", "00", ""), undefined],
    ["LOCAL with what is to be skipped", v2("20", "00", "ff".repeat(100)), undefined],
    ["an unspecified family", v2("21", "00", "ff".repeat(20)), undefined],
    ["a Unix socket", v2("21", "31", "2f".repeat(216)), undefined],
    ["the greatest length", v2("21", "11", `${TCP4}ee01f9${"00".repeat(505)}`), "203.0.113.9:51236"],
  ] as const) {
    const version = bytes[0] === 13 ? 2 : 1;
    it(`reads version ${version}, ${name}, and nothing behind it`, () => {
      assert.deepEqual(parseProxyHeader(bytes), header(bytes.length, source));
      assert.deepEqual(
        parseProxyHeader(Buffer.concat([bytes, Buffer.from("10ff", "hex")])),
        header(bytes.length, source),
      );
      for (let length = 0; length < bytes.length; length++) {
        assert.deepEqual(
          parseProxyHeader(bytes.subarray(0, length)),
          { outcome: "incomplete" },
          String(length),
        );
      }
    });
  }

  for (const [name, bytes] of [
    ["MQTT", Buffer.from("101000044d515454", "hex")],
    ["TLS", Buffer.from("1603010200", "hex")],
    ["lower case", v1("proxy TCP4")],
    ["no CR", v1("PROXY TCP4 203.0.113.9 192.0.2.1 51236 1883\n")],
    ["CR within", v1("PROXY TCP4 203.0.113.9\r192.0.2.1 51236 1883\r\n")],
    ["an unknown protocol", v1("PROXY UDP4 203.0.113.9 192.0.2.1 51236 1883\r\n")],
    ["IPv6 where IPv4 is announced", v1("PROXY TCP4 ::1 192.0.2.1 51236 1883\r\n")],
    ["a zone", v1("PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n")],
    ["two spaces", v1("PROXY TCP4  203.0.113.9 192.0.2.1 51236 1883\r\n")],
    ["something more", v1("PROXY TCP4 203.0.113.9 192.0.2.1 51236 1883 x\r\n")],
    ["a port that is too large", v1("PROXY TCP4 203.0.113.9 192.0.2.1 65536 1883\r\n")],
    ["a port with a sign", v1("PROXY TCP4 203.0.113.9 192.0.2.1 +1 1883\r\n")],
    ["a port with a zero before it", v1("PROXY TCP4 203.0.113.9 192.0.2.1 01 1883\r\n")],
    ["an octal address", v1("PROXY TCP4 0203.0.113.9 192.0.2.1 1 1883\r\n")],
    ["NUL", v1("PROXY TCP4 203.0.113.9\u0000 192.0.2.1 1 1883\r\n")],
    ["a line without end", v1(`PROXY UNKNOWN ${"x".repeat(100)}`)],
    ["a line that ends too late", v1(`PROXY UNKNOWN ${"x".repeat(100)}\r\n`)],
    ["version 1 in the form of 2", v2("11", "11", TCP4)],
    ["version 3", v2("31", "11", TCP4)],
    ["an unknown command", v2("22", "11", TCP4)],
    ["datagrams", v2("21", "12", TCP4)],
    ["an unknown family", v2("21", "41", TCP4)],
    ["addresses that are cut off", v2("21", "11", TCP4.slice(2))],
    ["IPv6 with the length of IPv4", v2("21", "21", TCP4)],
    ["a Unix socket that is cut off", v2("21", "31", "00".repeat(215))],
    ["a TLV without length", v2("21", "11", `${TCP4}0100`)],
    ["a TLV beyond the header", v2("21", "11", `${TCP4}04000300`)],
    ["one byte too many", v2("21", "11", `${TCP4}ee01fa${"00".repeat(506)}`)],
    ["the length 65535", v2("21", "11", TCP4, 65_535)],
  ] as const) {
    it(`refuses ${name} - attack PROXY-02`, () => {
      assert.equal(parseProxyHeader(bytes).outcome, "malformed");
    });
  }

  it("never asks for more than the greatest header, and never throws - attack PROXY-02", () => {
    const start = fc.constantFrom(
      Buffer.alloc(0),
      v1("PROXY "),
      v1("PROXY TCP4 "),
      Buffer.from(SIGNATURE, "hex"),
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 700 }), (first, rest) => {
        const bytes = Buffer.concat([first, rest]);
        const whole = parseProxyHeader(bytes);
        if (whole.outcome === "incomplete") assert.ok(bytes.length < MAXIMUM_PROXY_HEADER);
        if (whole.outcome === "header") assert.ok(whole.length <= bytes.length);
        // What a longer stream says, a shorter one does not deny.
        for (let length = 0; length < bytes.length; length += 1 + (length >> 3)) {
          const part = parseProxyHeader(bytes.subarray(0, length));
          if (part.outcome !== "incomplete") assert.deepEqual(part, whole);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads any address and port that is written - attack PROXY-02", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(65_535), (address, port) => {
        const line = v1(`PROXY TCP4 ${address} 192.0.2.1 ${port} 1883\r\n`);
        const binary = v2(
          "21",
          "11",
          Buffer.of(...address.split(".").map(Number), 192, 0, 2, 1, port >> 8, port & 255, 7, 91).toString(
            "hex",
          ),
        );
        assert.deepEqual(parseProxyHeader(line), header(line.length, `${address}:${port}`));
        assert.deepEqual(parseProxyHeader(binary), header(binary.length, `${address}:${port}`));
      }),
    );
  });
});
