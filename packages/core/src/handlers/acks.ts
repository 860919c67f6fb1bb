// PUBACK, PUBREC, PUBREL and PUBCOMP from a client. MQTT 5.0 sections 3.4 to 3.7 and 4.3; 3.1.1 likewise.

import { type Ack, packetName, PacketType, ReasonCode } from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import type { Parts } from "../parts.ts";
import { LastingSession } from "../sessions/lasting-session.ts";

const ERROR = ReasonCode.UNSPECIFIED_ERROR;

export function handlePuback(connection: Connection, ack: Ack): void {
  const isKnown = connection.session?.puback(ack.packetId, ack.reasonCode >= ERROR) ?? true;
  if (!isKnown) checkKind(connection, ack, 1);
}

/** An acknowledgement that ended nothing: in 5.0 one for the other QoS is a protocol error, all else is let pass. */
function checkKind(connection: Connection, ack: Ack, qos: 1 | 2): boolean {
  const inFlight = connection.session?.sender.qosOf(ack.packetId);
  if (connection.version !== 5 || inFlight === undefined || inFlight === qos) return true;
  const reason = `${packetName(ack.type)} for a PUBLISH of QoS ${inFlight}`;
  connection.fail(ReasonCode.PROTOCOL_ERROR, reason);
  return false;
}

export function handlePubrec(connection: Connection, ack: Ack): void {
  const isKnown = connection.session?.pubrec(ack.packetId, ack.reasonCode >= ERROR) ?? true;
  // 5.0 section 3.6.2.1; never a close. In 3.x PUBREL has no code and completes what the client believes is open.
  if (!isKnown && checkKind(connection, ack, 2) && ack.reasonCode < ERROR) {
    connection.sendAck(
      PacketType.PUBREL,
      ack.packetId,
      connection.version === 5 ? ReasonCode.PACKET_IDENTIFIER_NOT_FOUND : ReasonCode.SUCCESS,
    );
  }
}

export function handlePubrel(parts: Parts, connection: Connection, ack: Ack): void {
  const { session } = connection;
  if (session === undefined) return;
  const isKnown = session.receiver.released(ack.packetId);
  if (session instanceof LastingSession) {
    // The release has to be on disk before PUBCOMP: the client may use the identifier for a new message at once.
    if (isKnown) session.state.receivedChanged();
    connection.waitFor(session.state.receivedBatch());
  }
  const isTold = connection.version !== 5 || isKnown;
  connection.sendAck(
    PacketType.PUBCOMP,
    ack.packetId,
    isTold ? ReasonCode.SUCCESS : ReasonCode.PACKET_IDENTIFIER_NOT_FOUND,
  );
}

export function handlePubcomp(connection: Connection, ack: Ack): void {
  const isKnown = connection.session?.pubcomp(ack.packetId) ?? true;
  if (!isKnown) checkKind(connection, ack, 2);
}
