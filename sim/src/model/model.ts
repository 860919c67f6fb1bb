// What the model knows of a run: the clients, what was sent, the broker's time and its process. Written apart from the broker's
// code: it sees only packets, connections and the ends of the process.

import type { Connect } from "@heirloom/codec";
import type { Limits } from "@heirloom/core";
import type { Link } from "../network.ts";
import { APPLICATION, type Rules } from "../rules.ts";
import { ClientModel } from "./client.ts";
import { ClockModel } from "./clock.ts";
import { type MessageInit, MessageModel } from "./message.ts";
import { ProcessModel } from "./process.ts";
import type { Report } from "./report.ts";
import { RetainedModel } from "./retained.ts";
import { Wills } from "./wills.ts";
import type { Identity, World } from "./world.ts";

/** The default of `holdTimeout`. */
const HOLD_TIMEOUT_MS = 60_000;

export class Model implements World {
  readonly report: Report;
  readonly retained: RetainedModel = new RetainedModel();
  readonly clients: Map<string, ClientModel> = new Map();
  readonly clock: ClockModel = new ClockModel();
  readonly process: ProcessModel;
  readonly wills: Wills;
  readonly limits: Partial<Limits>;
  readonly rules: Rules;
  readonly isQueueLimited: boolean;
  readonly refusesAtLimit: boolean;
  stalledMs: number = -Infinity;
  /** Whether the disk lost something at any time. */
  hasDamage = false;
  readonly #now: () => number;
  readonly #messages = new Map<number, MessageModel>();
  #lastId = 0;
  /** The disk lost a message with an empty payload. Which one, nobody can tell: so any may be missing. */
  #isEmptyDamaged = false;

  constructor(now: () => number, report: Report, limits: Partial<Limits>, rules: Rules) {
    this.#now = now;
    this.report = report;
    this.process = new ProcessModel(now, this.clock);
    this.wills = new Wills(this);
    const { queueMessages, queueBytes, queuePolicy = "discard-oldest" } = limits;
    this.limits = limits;
    this.retained.mayDropQoS0 = limits.outputBytes !== undefined;
    this.rules = rules;
    this.isQueueLimited = queuePolicy === "discard-oldest" && (queueMessages ?? queueBytes) !== undefined;
    this.refusesAtLimit = queuePolicy !== "discard-oldest";
  }

  get nowMs(): number {
    return this.#now();
  }

  /** A hook holds packets back, or a full queue. */
  get holdsBack(): boolean {
    const { publish, subscribe } = this.rules.plan;
    return publish || subscribe || this.limits.queuePolicy === "hold";
  }

  get holdTimeoutMs(): number {
    const { queuePolicy, holdTimeoutMs = HOLD_TIMEOUT_MS } = this.limits;
    return queuePolicy === "hold" ? holdTimeoutMs : Infinity;
  }

  // --- clients ---------------------------------------------------------------------------------------------------

  client(identity: Identity): ClientModel {
    const known = this.clients.get(identity.clientId);
    if (known !== undefined) return known;
    const client = new ClientModel(identity, this);
    this.clients.set(identity.clientId, client);
    return client;
  }

  /** CONNECT goes out. Returns the message of its will. */
  connecting(client: ClientModel, link: Link, connect: Connect): MessageModel | undefined {
    const connection = client.connecting(link, connect);
    return this.wills.connecting(client, connection);
  }

  willCame(message: MessageModel): void {
    this.wills.came(message);
  }

  // --- messages --------------------------------------------------------------------------------------------------

  get messages(): Iterable<MessageModel> {
    return this.#messages.values();
  }

  message(id: number): MessageModel | undefined {
    return this.#messages.get(id);
  }

  newMessage(init: Omit<MessageInit, "id" | "isForbidden">): MessageModel {
    const id = ++this.#lastId;
    // Hooks are for clients: the application asks nobody.
    const isForbidden = !init.isEmpty && init.publisher !== APPLICATION && this.rules.forbids(id);
    const message = new MessageModel({ ...init, id, isForbidden }, this.clock);
    this.#messages.set(message.id, message);
    return message;
  }

  /** The disk lost these, and says so. Nobody has to get them; a delivery that was under way is not gone on with. */
  damaged(ids: readonly number[]): void {
    this.hasDamage ||= ids.length > 0;
    for (const id of ids) {
      const message = this.#messages.get(id);
      if (message !== undefined) message.isDamaged = true;
      else this.#isEmptyDamaged = true;
    }
    for (const client of this.clients.values())
      for (const session of client.sessions) session.flight.forget(ids);
  }

  isDamaged(id: number): boolean {
    return id === 0 ? this.#isEmptyDamaged : this.#messages.get(id)?.isDamaged === true;
  }
}
