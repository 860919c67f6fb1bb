// Draws the plan of a run from its seed, before anything happens: what its clients are like, which limits the broker has, and what
// is done how often.

import type { ProtocolVersion } from "@heirloom/codec";
import type { Limits } from "@heirloom/core";
import type { ClientPlan, FilterPlan, Leave, Plan, PublishPlan, Step, What, WillPlan } from "./plan.ts";
import { Random } from "./random.ts";

const NEVER = 0xffff_ffff;
const TOPICS = ["t/0", "t/1", "t/2", "u/0", "u/1/x"];
const FILTERS = ["t/0", "t/1", "t/+", "t/#", "#", "u/+", "u/#", "+/0", "will/#"];
const SHARED = ["$share/g/t/+", "$share/h/u/#", "$share/g/t/0"];
/** What no client may send once it is connected: a reserved type, a PUBLISH of QoS 3, a second CONNECT's first byte, garbage. */
const ILLEGAL: readonly (readonly number[])[] = [
  [0x00, 0x00],
  [0x36, 0x02, 0x00, 0x00],
  [0x60, 0x02, 0x00, 0x01],
  [0xff, 0xff],
];

/** Bytes of the largest packet that a client may send, where that is limited. */
const LARGEST_PACKET = 100_000;
/** How the wall clock jumps. */
const JUMPS_MS = [-4_000_000, -400_000, -30_000, -900, 900, 30_000, 4_000_000];

/** Draws a plan. */
export function makePlan(seed: number, stepCount: number): Plan {
  const random = new Random(seed);
  const limits = makeLimits(random);
  // A full queue can only be told to clients of 5.0; others are disconnected, over and over.
  const versions = limits.queuePolicy === "refuse" ? ([5] as const) : ([5, 5, 5, 4, 4, 3] as const);
  const count = random.between(2, 7);
  const clients = Array.from({ length: limits.queuePolicy === "hold" ? count & ~1 : count }, (_, index) =>
    makeClient(random, index, random.pick(versions)),
  );
  const isNearLastPacketId = random.chance(0.2);
  const some = (): boolean => random.chance(0.5);
  const rules = random.chance(0.2) ? { publish: some(), subscribe: some(), deliver: some() } : undefined;
  const isApplicationSubscribed = random.chance(0.2);
  const drawer = new StepDrawer(random, clients, limits.queuePolicy === "hold");
  return {
    seed,
    limits,
    isNearLastPacketId,
    rules,
    isApplicationSubscribed,
    clients,
    steps: Array.from({ length: stepCount }, () => drawer.draw()),
  };
}

function makeClient(random: Random, index: number, version: ProtocolVersion): ClientPlan {
  const expiries = version === 5 ? [0, 2, 60, 3600, 3600, NEVER, NEVER] : [0, NEVER, NEVER];
  return {
    clientId: `c${index}`,
    version,
    expiryInterval: random.pick(expiries),
    receiveMaximum: version === 5 ? random.pick([65_535, 65_535, 1, 2, 5]) : 65_535,
    keepAlive: random.pick([0, 0, 0, 60, 600]),
    topicAliasMaximum: version === 5 ? random.pick([0, 0, 2]) : 0,
    packetIds: random.pick([65_535, 3, 10]),
    maximumPacketSize: version === 5 && random.chance(0.15) ? 100 : undefined,
    ackDelayMs: random.pick([0, 0, 5, 100, 5_000]),
    refuses: version === 5 && random.chance(0.1),
  };
}

function makeLimits(random: Random): Partial<Limits> {
  return {
    sendMaximum: random.pick([1_024, 1_024, 1, 3, 10]),
    receiveMaximum: random.pick([65_535, 65_535, 1, 4]),
    logCacheBytes: random.pick([67_108_864, 0, 2_000]),
    ...(random.chance(0.2) ? queueLimits(random) : {}),
    ...(random.chance(0.1) ? { cleanQueueMessages: 20 } : {}),
    // A packet of a client may be as large as 100,000 bytes, so that the bound of a connection's output means something.
    ...(random.chance(0.2) ? { outputBytes: 4_000, maximumPacketSize: LARGEST_PACKET } : {}),
  };
}

function queueLimits(random: Random): Partial<Limits> {
  const queuePolicy = random.pick(["discard-oldest", "refuse", "hold"] as const);
  return random.chance(0.7)
    ? { queuePolicy, queueMessages: random.pick([5, 20]) }
    : { queuePolicy, queueBytes: random.pick([400, 2_000]) };
}

type Draw = () => What;

/** Draws steps. Each run has its own weights, so that some runs do almost only one thing. */
class StepDrawer {
  readonly #random: Random;
  readonly #clients: readonly ClientPlan[];
  readonly #choices: { readonly weight: number; readonly draw: Draw }[];
  readonly #total: number;
  readonly #gapMs: number;
  readonly #isHolding: boolean;
  readonly #isShared: boolean;
  readonly #isExpiring: boolean;

  /** `isHolding`: a publisher may have to wait for room, so nobody both publishes and subscribes and waits for itself. */
  constructor(random: Random, clients: readonly ClientPlan[], isHolding: boolean) {
    this.#isHolding = isHolding;
    this.#random = random;
    this.#clients = clients;
    this.#gapMs = random.pick([1, 5, 20, 200]);
    this.#isShared = random.chance(0.4);
    this.#isExpiring = random.chance(0.3);
    this.#choices = this.#weigh();
    this.#total = this.#choices.reduce((sum, { weight }) => sum + weight, 0);
  }

  #weigh(): { weight: number; draw: Draw }[] {
    const random = this.#random;
    // A fault that a run has not at all makes room for the others.
    const sometimes = (weight: number): number => (random.chance(0.5) ? weight * random.between(1, 4) : 0);
    return [
      { weight: random.between(40, 120), draw: () => this.#publish() },
      { weight: random.between(10, 40), draw: () => this.#connect() },
      { weight: random.between(2, 20), draw: () => this.#leave() },
      { weight: random.between(5, 20), draw: () => this.#subscribe() },
      { weight: sometimes(3), draw: () => this.#unsubscribe() },
      { weight: sometimes(4), draw: () => ({ kind: "application-publishes", message: this.#message() }) },
      {
        weight: sometimes(1),
        draw: () => ({ kind: "slow", client: this.#client(), bytesPerMs: random.pick([0.05, 1, 20]) }),
      },
      {
        weight: sometimes(1),
        draw: () => ({ kind: "misbehave", client: this.#client(), bytes: random.pick(ILLEGAL) }),
      },
      {
        weight: sometimes(2),
        draw: () => ({ kind: "crash", downMs: this.#downMs(), effects: random.below(12) }),
      },
      { weight: sometimes(0.5), draw: () => ({ kind: "restart", downMs: this.#downMs() }) },
      {
        weight: sometimes(0.5),
        draw: () => ({ kind: "disk-full", forMs: random.pick([10, 1_000, 20_000]) }),
      },
      {
        weight: sometimes(0.5),
        draw: () => ({
          kind: "disk-slow",
          slowMs: random.pick([5, 50, 2_000]),
          forMs: random.pick([20, 5_000]),
        }),
      },
      { weight: sometimes(0.3), draw: () => ({ kind: "sync-fails" }) },
      { weight: sometimes(0.3), draw: () => ({ kind: "damage", downMs: this.#downMs() }) },
      {
        weight: sometimes(this.#isExpiring ? 2 : 0.5),
        draw: () => ({
          kind: "clock-jumps",
          byMs: random.pick(JUMPS_MS),
          downMs: random.chance(0.5) ? this.#downMs() : undefined,
        }),
      },
      { weight: random.between(1, 10), draw: () => ({ kind: "wait" }) },
    ];
  }

  draw(): Step {
    const random = this.#random;
    let at = (random.below(1_000_000) / 1_000_000) * this.#total;
    const choice = this.#choices.find(({ weight }) => (at -= weight) < 0) ?? this.#choices[0];
    const what: What = choice === undefined ? { kind: "wait" } : choice.draw();
    return {
      afterMs: what.kind === "wait" ? this.#longGapMs() : random.below(this.#gapMs * 16) / 16,
      seed: random.next(),
      what,
    };
  }

  #longGapMs(): number {
    return this.#random.pick([50, 300, 1_000, 1_000, 5_000, 60_000, 4_000_000]);
  }

  #downMs(): number {
    return this.#random.pick([1, 20, 20, 500, 3_000, 100_000]);
  }

  #client(): number {
    return this.#random.below(this.#clients.length);
  }

  #publisher(): number {
    return this.#isHolding ? this.#client() & ~1 : this.#client();
  }

  #subscriber(): number {
    return this.#isHolding ? this.#client() | 1 : this.#client();
  }

  #connect(): What {
    const random = this.#random;
    return {
      kind: "connect",
      client: this.#client(),
      cleanStart: random.chance(0.08),
      will: random.chance(0.25) ? this.#will() : undefined,
    };
  }

  #will(): WillPlan {
    const random = this.#random;
    return {
      topicName: `will/${random.below(3)}`,
      qos: random.pick([1, 2, 2]),
      retain: random.chance(0.2),
      delayInterval: random.pick([0, 0, 1, 30]),
    };
  }

  #leave(): What {
    const hows: Leave[] = [
      "disconnect",
      "disconnect-with-will",
      "end-session",
      "end-session",
      "close",
      "cut",
      "cut",
      "cut",
      "freeze",
    ];
    return { kind: "leave", client: this.#client(), how: this.#random.pick(hows) };
  }

  #publish(): What {
    const random = this.#random;
    return {
      kind: "publish",
      client: this.#publisher(),
      count: random.chance(0.05) ? random.between(2, 30) : 1,
      message: this.#message(),
    };
  }

  #message(): PublishPlan {
    const random = this.#random;
    const retain = random.chance(0.15);
    return {
      topicName: random.pick(TOPICS),
      qos: random.pick([0, 1, 1, 2, 2]),
      retain,
      isEmpty: retain && random.chance(0.3),
      expiryInterval: this.#isExpiring && random.chance(0.4) ? random.pick([1, 20, 100_000]) : -1,
      size: random.chance(0.01) ? random.between(2_000, 70_000) : random.chance(0.05) ? 150 : 0,
    };
  }

  #subscribe(): What {
    const random = this.#random;
    const filters = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => this.#filter());
    return {
      kind: "subscribe",
      client: this.#subscriber(),
      filters,
      identifier: random.pick([0, 0, 7, 300]),
    };
  }

  #filter(): FilterPlan {
    const random = this.#random;
    const isShared = this.#isShared && random.chance(0.6);
    const topicFilter = isShared ? random.pick(SHARED) : random.pick(FILTERS);
    return {
      topicFilter,
      // A group with a member of QoS 0 may lose messages: such are rare, so that the others can be judged.
      qos: random.pick(isShared && random.chance(0.9) ? [1, 1, 1, 2] : [0, 1, 1, 1, 2, 2, 2]),
      noLocal: !topicFilter.startsWith("$share") && random.chance(0.1),
      retainAsPublished: random.chance(0.3),
      retainHandling: random.pick([0, 0, 1, 2]),
    };
  }

  #unsubscribe(): What {
    const random = this.#random;
    return {
      kind: "unsubscribe",
      client: this.#client(),
      topicFilters: [random.pick(this.#isShared ? [...FILTERS, ...SHARED] : FILTERS)],
    };
  }
}
