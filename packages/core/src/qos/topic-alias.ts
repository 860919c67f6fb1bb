// Topic aliases of one connection, one table for each direction. They end with the connection. MQTT 5.0 section 3.3.2.3.4.

/** Aliases that the peer defines. */
export class IncomingAliases {
  readonly #topicNames: (string | undefined)[] = [];
  readonly maximum: number;

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** Whether `alias` may be used at all: 1 to the maximum, 5.0 [MQTT-3.3.2-9]. */
  isAllowed(alias: number): boolean {
    return alias >= 1 && alias <= this.maximum;
  }

  define(alias: number, topicName: string): void {
    this.#topicNames[alias] = topicName;
  }

  resolve(alias: number): string | undefined {
    return this.#topicNames[alias];
  }
}

/** Aliases that we define. The first topics get one each, as many as the peer takes. */
export class OutgoingAliases {
  readonly #aliases = new Map<string, number>();
  readonly maximum: number;

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** The alias of a topic that was sent with it before, or 0. */
  known(topicName: string): number {
    return this.#aliases.get(topicName) ?? 0;
  }

  /** An alias that is free to be defined, or 0. It is defined only once {@link defined} says that the packet went out. */
  get free(): number {
    return this.#aliases.size < this.maximum ? this.#aliases.size + 1 : 0;
  }

  defined(topicName: string): void {
    this.#aliases.set(topicName, this.#aliases.size + 1);
  }
}
