// Aedes as a broker of its own process, to measure it beside heirloom: MQTT over TCP and, on request, over WebSocket.
// Usage: node aedes.mjs PORT [WS-PORT]
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { Aedes } from "aedes";
import { WebSocketServer, createWebSocketStream } from "ws";

const [port, wsPort] = process.argv.slice(2).map(Number);
const broker = await Aedes.createBroker();

createServer((socket) => {
  socket.setNoDelay(true);
  broker.handle(socket);
}).listen(port, "127.0.0.1", 1024);

if (wsPort) {
  const http = createHttpServer().listen(wsPort, "127.0.0.1", 1024);
  const upgrades = new WebSocketServer({
    server: http,
    handleProtocols: () => "mqtt",
    perMessageDeflate: false,
  });
  upgrades.on("connection", (socket, request) => broker.handle(createWebSocketStream(socket), request));
}
