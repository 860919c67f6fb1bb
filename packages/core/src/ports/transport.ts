// The port to one network connection, as the broker sees it: bytes out, an end, and how much still waits.
// Implementations: TCP and WebSocket in `heirloom`, a simulated network in tests.

/** A client's certificate, as the transport verified it. Values are decoded and complete, in the certificate's order. */
export interface ClientCertificate {
  readonly commonNames: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
  readonly serialNumber: string;
  /** SHA-256 of the whole certificate, as hexadecimal digits with colons. */
  readonly fingerprint256: string;
  /** Milliseconds since 1970. */
  readonly validToMs: number;
  /** The certificate itself, DER. */
  readonly raw: Uint8Array;
}

/** One network connection. The broker calls it at most a few times per turn, never per message. */
export interface Transport {
  /**
   * Sends bytes. Called about once per turn for all that the turn produced.
   *
   * @returns true when nothing refers to `bytes` any more, because the system took a copy: the caller may overwrite
   * them. False when they are held on to; then they must not be changed.
   */
  write(bytes: Uint8Array): boolean;

  /**
   * Ends the connection so that the peer can still read what was written: flush, FIN, and read on (ignoring) until
   * the peer closes or a short grace period ends. Nothing is written after it.
   */
  end(): void;

  /** Ends the connection at once and forgets what was not sent. */
  destroy(): void;

  /** Stops (true) or goes on (false) with reading from the peer. */
  pause(paused: boolean): void;

  /** The client was accepted: what it sends may have its ordinary size. Before, a transport need not collect more than CONNECT takes. */
  accepted?(): void;

  /** Bytes given to `write` that the operating system has not taken yet. */
  readonly bufferedBytes: number;

  /** Where the peer is, for logs and hooks, such as "203.0.113.9:51234". */
  readonly remoteAddress: string;

  /** Milliseconds from accepting the peer to handing it to the broker; they count for the CONNECT deadline. Default 0. */
  readonly elapsedMs?: number;

  /** The certificate that the peer showed; absent where transports have none. */
  readonly certificate?: ClientCertificate | undefined;
}
