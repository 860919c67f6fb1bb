// One run of one case: opens its connections, gives it names that nobody else uses, and cleans up behind it.
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectFields, type Version, connect } from "./build.ts";
import { type Text, utf8 } from "./bytes.ts";
import type { ControlledBroker, Target } from "./case.ts";
import { SkipError, code, fail, oneOf } from "./check.ts";
import { Client } from "./client.ts";
import { Wire, type WebSocketWire, describe } from "./wire.ts";

export type ConnectOptions = Partial<ConnectFields> & {
  /** A session that outlives its connection, resumed if it is there: clean session 0, or Clean Start 0 with an expiry. */
  readonly lasting?: boolean;
};

const run = (Date.now() % 36 ** 6).toString(36);
let count = 0;

export interface TrialOptions {
  readonly version: Version;
  readonly target: Target;
  /** Fields of every CONNECT. */
  readonly login?: Partial<ConnectFields>;
  /** The broker that a case may stop, kill and start. */
  readonly broker?: ControlledBroker;
  /** Versions that the broker does not speak: what connects in one of them is skipped. */
  readonly unserved?: ReadonlySet<Version>;
}

export class Trial {
  readonly version: Version;
  /** The first level of this trial's topics; at most 11 letters and digits. */
  readonly prefix: string;
  readonly #target: Target;
  readonly #broker: ControlledBroker | undefined;
  readonly #login: Partial<ConnectFields>;
  readonly #unserved: ReadonlySet<Version>;
  readonly #clients: Client[] = [];
  readonly #sessions = new Map<string, Version>();
  readonly #retained = new Map<string, Text>();
  #names = 0;

  constructor({ version, target, login = {}, broker, unserved = new Set() }: TrialOptions) {
    count += 1;
    this.version = version;
    this.prefix = `c${run}${count.toString(36)}`;
    this.#target = target;
    this.#login = login;
    this.#broker = broker;
    this.#unserved = unserved;
  }

  get five(): boolean {
    return this.version === "5.0";
  }

  /** The broker of a case with `restarts`. */
  get broker(): ControlledBroker {
    return this.#broker ?? this.skip("no controls to restart the broker");
  }

  /** A topic of this trial. */
  topic(name: string = "t"): string {
    return `${this.prefix}/${name}`;
  }

  /** A ClientId of at most 23 letters and digits. */
  clientId(name: string = "c"): string {
    return `${this.prefix}${name}`;
  }

  skip(reason: string): never {
    throw new SkipError(reason);
  }

  /** For rules about time itself. */
  async delay(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
  }

  /** A TCP connection on which nothing was sent yet. */
  async open(version: Version = this.version, clientId: string = ""): Promise<Client> {
    if (this.#unserved.has(version)) this.skip(`the broker does not speak ${version}`);
    const wire = await Wire.tcp(this.#target.host, this.#target.port, version);
    return this.#adopt(wire, clientId);
  }

  async openWebSocket(protocols: readonly string[] = ["mqtt"]): Promise<{ client: Client } & WebSocketWire> {
    if (this.#target.wsPort === undefined) this.skip("no WebSocket port given");
    const url = `ws://${this.#target.host}:${this.#target.wsPort}${this.#target.wsPath ?? "/mqtt"}`;
    const opened = await Wire.webSocket(url, protocols, this.version);
    return { ...opened, client: this.#adopt(opened.wire, "") };
  }

  #adopt(wire: Wire, clientId: string): Client {
    const client = new Client(wire, clientId, (topic) => this.forgetRetained(topic));
    this.#clients.push(client);
    return client;
  }

  /** The fields of CONNECT that `connect` would send. */
  connectFields(options: ConnectOptions = {}): ConnectFields {
    const { lasting, ...given } = options;
    const version = given.version ?? this.version;
    this.#names += 1;
    const clientId = given.clientId ?? this.clientId(this.#names.toString(36));
    const kept: Partial<ConnectFields> =
      lasting !== true
        ? {}
        : version === "5.0"
          ? { cleanStart: false, properties: { sessionExpiryInterval: 300, ...propertiesOf(given) } }
          : { cleanStart: false };
    return { ...this.#login, version, clientId, ...given, ...kept };
  }

  /** A connected client; the broker has to accept it. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const fields = this.connectFields(options);
    this.#note(fields);
    const clientId = typeof fields.clientId === "string" ? fields.clientId : "";
    const client = await this.open(fields.version, clientId);
    await client.connect(fields);
    return client;
  }

  /** A connected client that is subscribed to one filter. */
  async subscriber(filter: Text, qos: number = 2, options: ConnectOptions = {}): Promise<Client> {
    const client = await this.connect(options);
    await client.subscribe(filter, qos);
    return client;
  }

  /**
   * Sends CONNECT, given as fields or bytes, and expects to be refused: CONNACK with one of `codes`, then the end;
   * 5.0 may leave CONNACK out, 3.x if it `mayBeSilent`. With no codes the broker has to close without a byte. No
   * DISCONNECT in any version.
   */
  async refused(
    connecting: ConnectOptions | Uint8Array,
    codes: readonly number[],
    mayBeSilent: boolean = this.five,
  ): Promise<Client> {
    const raw = connecting instanceof Uint8Array;
    const client = await this.open(raw ? this.version : connecting.version);
    client.send(raw ? connecting : connect(this.connectFields(connecting)));
    await client.wire.ended();
    client.wire.check();
    const [first, ...more] = client.wire.packets;
    if (first === undefined) {
      if (codes.length > 0 && !mayBeSilent) fail("expected CONNACK, the broker closed without it");
      return client;
    }
    if (first.name !== "CONNACK" || codes.length === 0 || more.length > 0) {
      fail(
        `expected ${codes.length > 0 ? "one CONNACK" : "a bare close"}, the broker sent ${describe(more[0] ?? first)}`,
      );
    }
    oneOf(code(first.reasonCode), codes.map(code), "Reason Code of CONNACK");
    return client;
  }

  /** Has the topic's retained message deleted at the end; a client does it by itself for what it publishes. */
  forgetRetained(topic: Text): void {
    this.#retained.set(Buffer.from(utf8(topic)).toString("hex"), topic);
  }

  /** Has the session ended at the end; `connect` does it by itself for lasting ones. */
  forgetSession(clientId: string, version: Version = this.version): void {
    this.#sessions.set(clientId, version);
  }

  #note(fields: ConnectFields): void {
    const ends = fields.cleanStart !== false && propertiesOf(fields).sessionExpiryInterval === undefined;
    if (!ends && typeof fields.clientId === "string" && fields.clientId !== "")
      this.forgetSession(fields.clientId, fields.version);
    if (fields.will?.retain === true) this.forgetRetained(fields.will.topic);
  }

  /** Ends all connections, sessions and retained messages of this trial. Errors are of no interest any more. */
  async cleanUp(): Promise<void> {
    for (const client of this.#clients) client.drop();
    try {
      for (const [clientId, version] of this.#sessions) await this.#endSession(clientId, version);
      if (this.#retained.size > 0) await this.#deleteRetained();
    } catch {
      // The broker is gone or refuses; the names of this trial are not used again anyway.
    }
    for (const client of this.#clients) client.drop();
  }

  async #endSession(clientId: string, version: Version): Promise<void> {
    const client = await this.connect({ clientId, version });
    client.send(Uint8Array.of(0xe0, 0));
    await client.wire.ended();
  }

  async #deleteRetained(): Promise<void> {
    const client = await this.connect();
    for (const topic of [...this.#retained.values()]) await client.publish(topic, "", { retain: true });
  }
}

function propertiesOf({ properties }: Partial<ConnectFields>): { readonly sessionExpiryInterval?: number } {
  return properties === undefined || properties instanceof Uint8Array ? {} : properties;
}
