// The least that a broker on Node's `net` can cost: reads packets, forwards PUBLISH to whoever named exactly that topic,
// and answers with fixed bytes. No checks, no sessions, no QoS 2, no wildcards: not a broker, a yardstick.
// Usage: node net-floor.mjs PORT
import { createServer } from "node:net";

const [port] = process.argv.slice(2).map(Number);

/** @type {Map<string, Set<import("node:net").Socket>>} who subscribed, by topic */
const subscribers = new Map();
const noBytes = Buffer.alloc(0);
const connack = Buffer.of(0x20, 2, 0, 0);

createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
  const topics = [];
  let rest = noBytes;
  socket.on("data", (chunk) => {
    rest = handlePackets(socket, topics, rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const topic of topics) subscribers.get(topic)?.delete(socket);
  });
}).listen(port, "127.0.0.1", 4096);

/** @returns {Buffer} the beginning of a packet that is not complete */
function handlePackets(socket, topics, chunk) {
  let start = 0;
  while (chunk.length - start >= 2) {
    let length = 0;
    let body = start + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = chunk[body++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (body + length > chunk.length || Number.isNaN(length)) break;
    handlePacket(socket, topics, chunk, start, body, body + length);
    start = body + length;
  }
  return start === chunk.length ? noBytes : chunk.subarray(start);
}

function handlePacket(socket, topics, chunk, start, body, end) {
  const type = chunk[start] >> 4;
  if (type === 1) socket.write(connack);
  else if (type === 8) subscribe(socket, topics, chunk, body);
  else if (type === 3) publish(socket, chunk, start, body, end);
  else if (type === 12) socket.write(Buffer.of(0xd0, 0));
  else if (type === 14) socket.end();
}

function subscribe(socket, topics, chunk, body) {
  const length = chunk.readUInt16BE(body + 2);
  const topic = chunk.latin1Slice(body + 4, body + 4 + length);
  topics.push(topic);
  const all = subscribers.get(topic) ?? new Set();
  subscribers.set(topic, all.add(socket));
  socket.write(Buffer.of(0x90, 3, chunk[body], chunk[body + 1], chunk[body + 4 + length]));
}

function publish(socket, chunk, start, body, end) {
  const length = chunk.readUInt16BE(body);
  const packet = chunk.subarray(start, end);
  for (const subscriber of subscribers.get(chunk.latin1Slice(body + 2, body + 2 + length)) ?? []) {
    subscriber.write(packet);
  }
  if (chunk[start] & 0x06) {
    const packetId = body + 2 + length;
    socket.write(Buffer.of(0x40, 2, chunk[packetId], chunk[packetId + 1]));
  }
}
