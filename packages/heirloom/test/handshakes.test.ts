// Sockets that have not become connections: the oldest gives way.

import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { Handshakes } from "../dist/transports/handshakes.js";

test("one socket more than there may be closes the oldest that has not become a connection - attack CONN-01", () => {
  let dropped = 0;
  const handshakes = new Handshakes({
    connectTimeoutMs: 1_000,
    maximumConnectSize: 1_000,
    pendingConnections: 2,
    dropped: () => dropped++,
  });
  const [first, second, third, fourth] = Array.from({ length: 4 }, () => new Socket());
  assert.ok(first !== undefined && second !== undefined && third !== undefined && fourth !== undefined);
  handshakes.begin(first);
  handshakes.begin(second);
  handshakes.end(first);
  handshakes.begin(third);
  assert.equal(dropped, 0);
  handshakes.begin(fourth);
  assert.deepEqual(
    [first, second, third, fourth].map((socket) => socket.destroyed),
    [false, true, false, false],
  );
  assert.equal(dropped, 1);
});
