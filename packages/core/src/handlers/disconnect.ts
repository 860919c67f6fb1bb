// DISCONNECT from a client: a new expiry for its session, and what becomes of its will. MQTT 5.0 section 3.14.

import { type Disconnect, ReasonCode } from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import type { Parts } from "../parts.ts";

export function handleDisconnect(parts: Parts, connection: Connection, disconnect: Disconnect): void {
  const { session } = connection;
  const expiryInterval = disconnect.properties.sessionExpiryInterval;
  if (session !== undefined && expiryInterval !== undefined) {
    if (connection.connectExpiryInterval === 0 && expiryInterval !== 0) {
      // 5.0 section 3.14.2.2.2
      connection.fail(
        ReasonCode.PROTOCOL_ERROR,
        `Session Expiry Interval ${expiryInterval} after 0 in CONNECT`,
      );
      return;
    }
    session.expiryInterval = Math.min(expiryInterval, parts.context.limits.sessionExpiryMaximum);
  }
  // 5.0 [MQTT-3.14.4-3], [MQTT-3.1.2-10]: only a normal disconnection deletes the will.
  const isNormal = disconnect.reasonCode === ReasonCode.NORMAL_DISCONNECTION;
  connection.disconnectedByClient(isNormal ? "normal" : "abnormal", disconnect.reasonCode);
}
