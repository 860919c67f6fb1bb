// What a case does with one connection: MQTT's exchanges in one call each, on top of Wire. Nothing is sent by itself -
// no acknowledgement, no ping - so that a case sees and decides every packet.
import {
  type AckName,
  type FilterFields,
  type PublishFields,
  type Version,
  ack,
  connect,
  type ConnectFields,
  disconnect,
  pingreq,
  publish,
  subscribe,
  unsubscribe,
} from "./build.ts";
import { type Part, type Text, utf8 } from "./bytes.ts";
import { code, equal, fail, oneOf } from "./check.ts";
import type { Ack, Connack, Packet, PacketOf, Publish, Suback } from "./parse.ts";
import type { Properties } from "./properties.ts";
import { ANSWER_MS, CLOSE_MS, type Wire, describe } from "./wire.ts";

/** What a delivered PUBLISH has to be; what is not named may be anything. */
export interface Expected {
  readonly topic?: string;
  readonly payload?: Text;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly packetId?: number;
}

export class Client {
  readonly wire: Wire;
  readonly clientId: string;
  #packetId = 100;
  #connack: Connack | undefined;
  readonly #retains: (topic: Text) => void;

  /** `retains` is told each topic that this client publishes with RETAIN 1, so that it can be cleaned up. */
  constructor(wire: Wire, clientId: string, retains: (topic: Text) => void) {
    this.wire = wire;
    this.clientId = clientId;
    this.#retains = retains;
  }

  get version(): Version {
    return this.wire.version;
  }

  get connack(): Connack {
    return this.#connack ?? fail("unreachable: no CONNACK yet");
  }

  /** Sends CONNECT and waits for a CONNACK of success. */
  async connect(fields: ConnectFields): Promise<void> {
    this.wire.send(connect(fields));
    await this.accepted();
  }

  /** Waits for a CONNACK of success as the first packet. */
  async accepted(): Promise<Connack> {
    this.#connack = await this.wire.expect("CONNACK");
    if (this.#connack.reasonCode !== 0) fail(`CONNECT was refused with ${code(this.#connack.reasonCode)}`);
    return this.#connack;
  }

  send(...parts: readonly Part[]): void {
    this.wire.send(...parts);
  }

  next(waitMs?: number): Promise<Packet> {
    return this.wire.next(waitMs);
  }

  expect<N extends Packet["name"]>(name: N, waitMs?: number): Promise<PacketOf<N>> {
    return this.wire.expect(name, waitMs);
  }

  take<N extends Packet["name"]>(name: N, waitMs?: number): Promise<PacketOf<N>> {
    return this.wire.take(name, waitMs);
  }

  newPacketId(): number {
    this.#packetId += 1;
    return this.#packetId;
  }

  /** Subscribes and returns SUBACK, whatever its codes are. */
  async trySubscribe(filters: readonly FilterFields[], properties?: Properties): Promise<Suback> {
    const packetId = this.newPacketId();
    this.send(subscribe(this.version, packetId, filters, properties));
    const suback = await this.take("SUBACK");
    equal(suback.packetId, packetId, "Packet Identifier of SUBACK");
    equal(suback.reasonCodes.length, filters.length, "number of codes in SUBACK");
    return suback;
  }

  /** Subscribes to one filter; the wanted QoS has to be granted. */
  async subscribe(
    filter: Text,
    qos: number = 2,
    options: Omit<FilterFields, "filter"> = {},
    properties?: Properties,
  ): Promise<void> {
    const suback = await this.trySubscribe([{ filter, qos, ...options }], properties);
    equal(suback.reasonCodes[0], qos, "QoS granted in SUBACK");
  }

  async unsubscribe(...filters: readonly Text[]): Promise<Suback> {
    const packetId = this.newPacketId();
    this.send(unsubscribe(this.version, packetId, filters));
    const unsuback = await this.take("UNSUBACK");
    equal(unsuback.packetId, packetId, "Packet Identifier of UNSUBACK");
    return unsuback;
  }

  /** Sends PUBLISH and nothing else; returns its Packet Identifier. */
  publishOnly(fields: PublishFields): number {
    const packetId = fields.packetId ?? this.newPacketId();
    if (fields.retain === true) this.#retains(fields.topic);
    this.send(publish(this.version, { ...fields, packetId }));
    return packetId;
  }

  /**
   * Publishes and goes through the whole exchange of its QoS; at QoS 0 waits until the broker has read it.
   *
   * @returns the Reason Code of PUBACK or PUBREC; 0 at QoS 0.
   */
  async publish(
    topic: Text,
    payload: Text = "payload",
    fields: Omit<PublishFields, "topic"> = {},
  ): Promise<number> {
    const packetId = this.publishOnly({ topic, payload, ...fields });
    if ((fields.qos ?? 0) === 0) await this.ping();
    if (fields.qos === 1) return (await this.ackOf("PUBACK", packetId)).reasonCode;
    if (fields.qos === 2) {
      const pubrec = await this.ackOf("PUBREC", packetId);
      if (pubrec.reasonCode < 0x80) await this.release(packetId);
      return pubrec.reasonCode;
    }
    return 0;
  }

  /** Sends PUBREL and waits for its PUBCOMP. */
  async release(packetId: number): Promise<Ack> {
    this.ack("PUBREL", packetId);
    return this.ackOf("PUBCOMP", packetId);
  }

  ack(name: AckName, packetId: number, reasonCode?: number): void {
    this.send(ack(name, packetId, reasonCode));
  }

  async ackOf(name: AckName, packetId: number): Promise<Ack> {
    const packet = await this.take(name);
    equal(packet.packetId, packetId, `Packet Identifier of ${name}`);
    return packet;
  }

  /** The next PUBLISH, not acknowledged. */
  async delivery(expected: Expected = {}, waitMs: number = ANSWER_MS): Promise<Publish> {
    const packet = await this.take("PUBLISH", waitMs);
    for (const [name, value] of Object.entries(expected)) {
      const seen: unknown = name === "payload" ? text(packet.payload) : Reflect.get(packet, name);
      equal(
        seen,
        name === "payload" ? text(utf8(value)) : value,
        `${name} of the delivered ${describe(packet)}`,
      );
    }
    return packet;
  }

  /** The next PUBLISH, acknowledged to the end of its exchange. */
  async receive(expected: Expected = {}, waitMs?: number): Promise<Publish> {
    const packet = await this.delivery(expected, waitMs);
    await this.acknowledge(packet);
    return packet;
  }

  async acknowledge({ qos, packetId }: Publish): Promise<void> {
    if (qos === 1) this.ack("PUBACK", packetId);
    if (qos === 2) {
      this.ack("PUBREC", packetId);
      await this.ackOf("PUBREL", packetId);
      this.ack("PUBCOMP", packetId);
    }
  }

  /** PINGREQ and its PINGRESP: all that was sent before has been read by the broker. */
  async ping(): Promise<void> {
    this.send(pingreq);
    await this.take("PINGRESP");
  }

  /** Two round trips in which nothing else comes, and nothing was left before. */
  async silence(what: string = "nothing"): Promise<void> {
    await this.ping();
    await this.ping();
    const first = this.wire.packets[0];
    if (first !== undefined) fail(`expected ${what}, the broker sent ${describe(first)}`);
    if (this.wire.closed) fail(`expected ${what}, the broker closed`);
  }

  /**
   * Waits until the broker closes. Before that 5.0 may say DISCONNECT with one of `codes`; nothing else may come.
   * Without `codes` it has to close without a word.
   */
  async closes(codes: readonly number[] = [], waitMs: number = CLOSE_MS): Promise<void> {
    await this.wire.ended(waitMs);
    this.wire.check();
    for (const packet of this.wire.packets) {
      if (packet.name !== "DISCONNECT" || codes.length === 0) {
        fail(`expected nothing but a close, the broker sent ${describe(packet)}`);
      }
      oneOf(code(packet.reasonCode), codes.map(code), "Reason Code of DISCONNECT");
    }
  }

  /** Ends the network connection without DISCONNECT. */
  drop(): void {
    this.wire.destroy();
  }

  /** Sends DISCONNECT and waits until the broker has closed. */
  async disconnect(reasonCode?: number, properties?: Properties): Promise<void> {
    this.send(disconnect(reasonCode, properties));
    await this.wire.ended();
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
