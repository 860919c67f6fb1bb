// Aedes with the configuration of a case, as a process of its own. Installed by bench/, beside which it is measured.
//   node aedes-server.mjs '<BrokerConfig and port, wsPort as JSON>'
import { createServer as createHttpServer } from "node:http";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const { port, wsPort, ...config } = JSON.parse(process.argv[2] ?? "{}");
const require = createRequire(new URL("../../../bench/package.json", import.meta.url));
const { Aedes } = await import(pathToFileURL(require.resolve("aedes")).href);
const { WebSocketServer, createWebSocketStream } = require("ws");

const isBelowDenied = (topic) => topic.startsWith("denied/");

async function authorizePublish(_client, { topic }, done) {
  if (config.slowTopics && topic.startsWith("slow/")) await sleep(30);
  done(config.deniedTopics && isBelowDenied(topic) ? new Error("denied") : null);
}

function authorizeSubscribe(_client, subscription, done) {
  done(null, config.deniedFilters && isBelowDenied(subscription.topic) ? null : subscription);
}

function authenticate(_client, username, password, done) {
  if (username === "alice" && String(password) === "secret") done(null, true);
  else done(Object.assign(new Error("wrong user name or password"), { returnCode: 4 }), false);
}

const broker = await Aedes.createBroker({
  authorizePublish,
  authorizeSubscribe,
  ...(config.passwords ? { authenticate } : {}),
});
createServer((socket) => {
  socket.setNoDelay(true);
  broker.handle(socket);
}).listen(port, "127.0.0.1");
const http = createHttpServer().listen(wsPort, "127.0.0.1");
new WebSocketServer({ server: http, handleProtocols: (names) => names.has("mqtt") && "mqtt" }).on(
  "connection",
  (socket, request) => broker.handle(createWebSocketStream(socket), request),
);
