// How far a network connection is. What is legal in each state is said by `connection.ts`.
// MQTT 5.0 sections 3.1, 4.12, 4.13.

export type ConnectionState =
  /** Nothing but CONNECT may come. */
  | "new"
  /** CONNECT is being answered; only AUTH and DISCONNECT may come, 5.0 [MQTT-4.12.0-1]. */
  | "connecting"
  | "connected"
  /** What is owed is still sent; nothing more is read. */
  | "ended";
