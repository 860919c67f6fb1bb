// How thirty other protocols begin: what scanners, browsers and mistaken clients send to an MQTT port.

function text(...lines: readonly string[]): Uint8Array {
  return Buffer.from(`${lines.join("\r\n")}\r\n`, "latin1");
}

function hex(digits: string): Uint8Array {
  return Buffer.from(digits.replaceAll(" ", ""), "hex");
}

const HOST = "Host: broker.example";
const TLS_BODY = `0303 ${"5a".repeat(32)} 00 0004 1301 1302 0100`;

/** The first bytes, at most 64, by protocol. */
export const OTHER_PROTOCOLS: ReadonlyMap<string, Uint8Array> = new Map([
  ["HTTP GET", text("GET / HTTP/1.1", HOST, "")],
  ["HTTP POST", text("POST /api HTTP/1.1", HOST, "Content-Length: 0", "")],
  ["HTTP PUT", text("PUT /x HTTP/1.0", "")],
  ["HTTP proxy", text("CONNECT example.org:443 HTTP/1.1", HOST, "")],
  ["HTTP/2", text("PRI * HTTP/2.0", "", "SM", "")],
  ["WebSocket", text("GET /mqtt HTTP/1.1", HOST, "Upgrade: websocket")],
  ["TLS 1.0", hex(`16 0301 0031 01 00002d 0301 ${TLS_BODY}`)],
  ["TLS 1.2", hex(`16 0303 0031 01 00002d ${TLS_BODY}`)],
  ["SSL 2", hex("80 2e 01 0002 0015 0000 0010 010080 020080 030080")],
  ["DTLS", hex("16 feff 0000 000000000000 0036 01 00002a")],
  ["SSH", text("SSH-2.0-OpenSSH_9.6")],
  ["SMTP", text("EHLO client.example")],
  ["FTP", text("USER anonymous")],
  ["POP3", text("CAPA")],
  ["IMAP", text("a001 CAPABILITY")],
  ["IRC", text("NICK scanner", "USER scanner 0 * :x")],
  ["Telnet", hex("fffd01 fffd1f fffb18 fffb20")],
  ["RDP", hex("0300 0013 0ee0 0000 0000 0001 0008 0003 000000")],
  ["VNC", text("RFB 003.008")],
  ["SIP", text("OPTIONS sip:nm SIP/2.0", "Via: SIP/2.0/TCP nm")],
  ["RTSP", text("DESCRIBE rtsp://host/ RTSP/1.0", "CSeq: 1", "")],
  ["SMB", hex("00000045 ff534d42 7200000000 180128000000000000")],
  ["LDAP", hex("300c 0201 01 6007 0201 03 0400 8000")],
  ["Kafka", hex("00000014 0012 0000 00000001 0004 74657374")],
  ["AMQP 0-9-1", Buffer.from("AMQP\0\0\t\u0001", "latin1")],
  ["AMQP 1.0", Buffer.from("AMQP\0\u0001\0\0", "latin1")],
  ["STOMP", text("CONNECT", "accept-version:1.2", "")],
  ["NATS", text('CONNECT {"verbose":false}')],
  ["Redis", text("*1", "$4", "PING")],
  ["PostgreSQL", hex("00000008 04d2162f")],
  ["MongoDB", hex("3f000000 01000000 00000000 d4070000 00000000")],
  ["memcached", text("version")],
  ["Cassandra", hex("04 00 0000 05 00000000")],
  ["DNS", hex("001d 1234 0100 0001 0000 0000 0000 07")],
  ["BitTorrent", Buffer.from("\u0013BitTorrent protocol", "latin1")],
  ["SOCKS 4", hex("04 01 01bb 01020304 00")],
  ["SOCKS 5", hex("05 01 00")],
  ["Modbus", hex("0001 0000 0006 01 03 0000 0001")],
  ["S7", hex("0300 0016 11e0 0000 0001 00c1 0201 00c2 0201 02")],
  ["OPC UA", Buffer.from("HELF\0\0\0\0", "latin1")],
  ["XMPP", text("<?xml version='1.0'?><stream:stream>")],
  ["ADB", Buffer.from("CNXN\0\0\0\u0001\0\0\u0010\0", "latin1")],
  ["PROXY v1", text("PROXY TCP4 1.2.3.4 5.6.7.8 1 2")],
  ["PROXY v2", hex("0d0a0d0a000d0a515549540a 2111 000c 01020304 05060708 0001 0002")],
  ["MQTT of another name", hex("10 0c 0004 4d515454 63 02 003c 0000")],
  ["MQTT-SN", hex("0a 04 04 01 003c 61626364")],
  ["zeroes", new Uint8Array(64)],
  ["ones", new Uint8Array(64).fill(0xff)],
]);
