// Words of MQTT that random bytes do not hit: values at the edges, strings with a meaning, properties, whole packets.

import { bytesOf } from "./hex.ts";

/** Single bytes: edges of numbers, of QoS and versions, of UTF-8, reason codes. */
export const BYTES: readonly number[] = [
  0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x18, 0x19, 0x20, 0x23, 0x24, 0x2b, 0x2f, 0x40, 0x7f, 0x80, 0x81, 0x82, 0x87,
  0x91, 0x92, 0x93, 0x97, 0xa2, 0xc0, 0xed, 0xf0, 0xfe, 0xff,
];

/** Fields of two bytes: lengths, packet identifiers, aliases, Keep Alive. */
export const WORDS: readonly number[] = [
  0, 1, 2, 3, 4, 5, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff,
];

/** Variable Byte Integers, right and wrong: 0, 1, 127, 128, 16383, the largest, five bytes, long forms, an open end. */
export const VARINTS: readonly Uint8Array[] = hexes(
  "00|01|7f|8001|ff7f|808001|ffff7f|80808001|ffffff7f|8080808001|ffffffff7f|8000|808000|80808000|80|ffffff",
);

/** Strings with their length in front: filters, names, marks of bad UTF-8. */
export const STRINGS: readonly Uint8Array[] = [
  ..."# + a a/b a/# +/b a/+/c a// / // $SYS/# $share/g/a $share/g/# $share/h/a/b $share//a $share/g $share/+/a a# a+ #/a"
    .split(" ")
    .map((text) => stringOf(Buffer.from(text))),
  ..."dev other MQTT MQIsdp m user w/ill aaaaaaaaaaaaaaaaaaaaaaaa"
    .split(" ")
    .map((text) => stringOf(Buffer.from(text))),
  stringOf(Buffer.from("a/".repeat(70))),
  // None, U+0000, half of a pair, U+FFFF, beyond Unicode, too long a form, a cut one, a mark, four bytes.
  ...hexes("|00|6100|eda080|efbfbf|f4908080|c080|e282|efbbbf61|f09f98803d|c3a4|7f|c285").map(stringOf),
];

/** Each property of 5.0 section 2.2.2.2 with a usual value, then some with a value that is not allowed. */
export const PROPERTIES: readonly Uint8Array[] = [
  ...hexes(
    "0101|0100|0200000001|02ffffffff|0200000000|030001 61|08 0003 612f62|09 0002 0001|0b01|0bffffff7f",
  ),
  ...hexes(
    "1100000000|1100000005|11ffffffff|12 0001 63|13 0005|15 0001 6d|15 0001 6e|16 0001 3d|16 0001 21|16 0000",
  ),
  ...hexes(
    "1701|1700|1800000000|1800000001|1901|1900|1a 0001 69|1c 0001 73|1f 0001 72|210001|21ffff|220000|220002",
  ),
  ...hexes(
    "22ffff|230001|230002|230005|2400|2401|2501|2500|26 0001 6b 0001 76|2700000040|2700000014|27ffffffff",
  ),
  ...hexes(
    "2801|2901|2a01|2a00|0102|0b00|1702|1902|210000|230000|2402|2700000000|08 0001 23|08 0000|00|0a|7f|8001",
  ),
];

/** Packets that clients send, of 3.1, 3.1.1 and 5.0. */
export const PACKETS: readonly Uint8Array[] = [
  // CONNECT
  `10 11 0006"MQIsdp" 03 02 003c 0003"dev"`,
  `10 0f 0004"MQTT" 04 02 003c 0003"dev"`,
  `10 0f 0004"MQTT" 04 00 0001 0003"dev"`,
  `10 1c 0004"MQTT" 04 2e 000a 0003"dev" 0006"w/ill/" 0003"bye"`,
  `10 1b 0004"MQTT" 04 c2 0000 0003"dev" 0004"user" 0004"pass"`,
  `10 10 0004"MQTT" 05 02 003c 00 0003"dev"`,
  `10 15 0004"MQTT" 05 00 003c 05 11 0000 0e10 0003"dev"`,
  `10 1f 0004"MQTT" 05 00 003c 0f 11 ffffffff 21 0002 27 00000040 1700 0003"dev"`,
  `10 23 0004"MQTT" 05 26 0000 00 0003"dev" 05 18 00000001 0006"w/ill/" 0003"bye"`,
  `10 14 0004"MQTT" 05 02 0000 04 15 0001"m" 0003"dev"`,
  `10 18 0004"MQTT" 05 02 0000 08 15 0001"m" 16 0001"=" 0003"dev"`,
  // PUBLISH 3.x and 5.0
  `30 06 0003"a/b" "x"`,
  `31 07 0003"a/b" 00 "x"`,
  `32 08 0003"a/b" 0001 "x"`,
  `32 09 0003"a/b" 0001 00 "x"`,
  `34 08 0003"a/b" 0002 "y"`,
  `34 09 0003"a/b" 0002 00 "y"`,
  `3d 09 0003"a/b" 0002 00 "y"`,
  `30 0a 0003"a/b" 03 230001 "x"`,
  `30 06 0000 03 230001`,
  `32 10 0003"a/b" 0003 05 02 00000001 "xyz"`,
  `31 06 0003"a/b" 00`,
  // Acknowledgements
  `40 02 0001|50 02 0001|62 02 0001|70 02 0001|50 02 0002|62 02 0002|70 02 0002|40 02 0002`,
  `40 03 0001 10|50 03 0001 87|62 03 0001 92|70 03 0001 92|50 04 0001 00 00|40 04 0002 80 00`,
  // SUBSCRIBE, UNSUBSCRIBE 3.x and 5.0
  `82 08 0001 0003"a/b" 02`,
  `82 09 0001 00 0003"a/b" 02`,
  `82 09 0002 00 0003"a/#" 2d`,
  `82 0b 0002 02 0b07 0003"a/#" 01`,
  `82 06 0003 0001"#" 01`,
  `82 07 0003 00 0001"#" 01`,
  `82 11 0004 00 000b"$share/g/a/" 01`,
  `82 0e 0005 0003"a/b" 00 0003"a/+" 01`,
  `a2 07 0006 0003"a/b"`,
  `a2 08 0006 00 0003"a/b"`,
  // PINGREQ, DISCONNECT, AUTH
  `c0 00|e0 00|e0 01 04|e0 02 00 00|e0 07 00 05 11 00000000|e0 01 93`,
  `f0 00|f0 06 18 04 15 0001"m"|f0 0a 18 08 15 0001"m" 16 0001"="|f0 06 19 04 15 0001"m"|f0 0a 19 08 15 0001"m" 16 0001"!"`,
].flatMap(hexes);

function hexes(list: string): Uint8Array[] {
  return list.split("|").map(bytesOf);
}

function stringOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([bytes.length >> 8, bytes.length & 0xff, ...bytes]);
}
