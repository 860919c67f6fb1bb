// Runs cases against a broker: independent ones at the same time, those that need another configuration on a broker
// that the caller's controls start.
import { type Version, connect } from "./build.ts";
import {
  type BrokerConfig,
  type Case,
  type ControlledBroker,
  type Controls,
  type Target,
  VERSIONS,
  versionsOf,
} from "./case.ts";
import { toHex } from "./bytes.ts";
import { SkipError } from "./check.ts";
import { allCases } from "./registry.ts";
import { Trial } from "./trial.ts";

export interface Result {
  readonly id: readonly string[];
  readonly title: string;
  readonly version: Version;
  /** Whether it goes beyond the standard. */
  readonly contract: boolean;
  readonly status: "pass" | "fail" | "skip";
  /** What was seen and expected, or why it was skipped; empty after a pass. */
  readonly reason: string;
  readonly ms: number;
}

export interface RunOptions extends Target {
  /** Only cases of this version. */
  readonly version?: Version;
  /** Only cases whose title, ids or hard case contain this text. */
  readonly only?: string;
  /** Cases at the same time; 20 if absent. */
  readonly concurrency?: number;
  readonly onResult?: (result: Result) => void;
  /** Without them, cases that need their own broker are skipped. */
  readonly controls?: Controls;
  /** Also the cases that go beyond the standard. */
  readonly contract?: boolean;
}

/** One case in one version. */
interface Job {
  readonly one: Case;
  readonly version: Version;
}

/** No case takes longer; a case that hangs is a failure and not a hang of the suite. */
const CASE_MS = 180_000;

/** Cases at the same time, for a broker or a group of cases with the same configuration. */
const CONCURRENCY = 20;

/** Brokers that are started at the same time, beside the one that is there. */
const GROUPS_AT_ONCE = 2;

/** Runs all chosen cases. Never rejects because of what the broker does. */
export async function runConformance(options: RunOptions): Promise<readonly Result[]> {
  const results: Result[] = [];
  const report = (result: Result): void => {
    results.push(result);
    options.onResult?.(result);
  };
  const unserved = await unservedVersions(options);
  const chosen = chosenJobs(options);
  for (const job of chosen.filter(({ version }) => unserved.has(version)))
    report(resultOf(job, "skip", `the broker does not speak ${job.version}`, 0));
  const jobs = chosen.filter(({ version }) => !unserved.has(version));
  const width = options.concurrency ?? CONCURRENCY;
  const shared = jobs.filter(({ one }) => one.needs === undefined && one.restarts !== true);
  const controlled = groups(jobs.filter((job) => !shared.includes(job)));
  await Promise.all([
    inParallel(shared, width, async (job) => report(await runJob(job, options, unserved))),
    inParallel(controlled, GROUPS_AT_ONCE, (group) => runGroup(group, options, unserved, report)),
  ]);
  return results;
}

/** The versions that the broker refuses by name. One that it does not answer at all is left to the cases. */
async function unservedVersions(target: Target): Promise<ReadonlySet<Version>> {
  const refused = await Promise.all(VERSIONS.map((version) => refuses(target, version)));
  return new Set(VERSIONS.filter((_, index) => refused[index]));
}

/** Whether CONNECT is answered with CONNACK 0x01 of 3.x, or 0x84 of 5.0. */
async function refuses(target: Target, version: Version): Promise<boolean> {
  const trial = new Trial({ version, target });
  try {
    const client = await trial.open();
    client.send(connect(trial.connectFields()));
    await client.next().catch(() => undefined);
    return /^(20 02 00 01|20 .. 00 84)/.test(toHex(client.wire.received));
  } catch {
    return false;
  } finally {
    await trial.cleanUp();
  }
}

function chosenJobs({ version, only, contract = false }: RunOptions): readonly Job[] {
  const text = only?.toLowerCase();
  return allCases
    .filter((one) => contract || one.contract !== true)
    .filter((one) => text === undefined || words(one).includes(text))
    .flatMap((one) => versionsOf(one).map((each) => ({ one, version: each })))
    .filter((job) => version === undefined || job.version === version)
    .sort((a, b) => (b.one.seconds ?? 0) - (a.one.seconds ?? 0));
}

function words({ title, ids, hardCase }: Case): string {
  return [title, ...ids, hardCase ?? ""].flat().join(" ").toLowerCase();
}

/** Jobs that may share a broker, together; a restart needs a broker for itself. */
function groups(jobs: readonly Job[]): readonly (readonly Job[])[] {
  const byConfig = new Map<string, Job[]>();
  jobs.forEach((job, index) => {
    const key = job.one.restarts === true ? `restart ${index}` : JSON.stringify(job.one.needs);
    byConfig.set(key, [...(byConfig.get(key) ?? []), job]);
  });
  return [...byConfig.values()];
}

async function runGroup(
  group: readonly Job[],
  { concurrency: width = CONCURRENCY, controls }: RunOptions,
  unserved: ReadonlySet<Version>,
  report: (result: Result) => void,
): Promise<void> {
  const config: BrokerConfig = group[0]?.one.needs ?? {};
  const left = new Set(group);
  const giveUp = (status: "skip" | "fail", reason: string): void => {
    for (const job of left) report(resultOf(job, status, reason, 0));
  };
  if (controls === undefined) {
    giveUp("skip", `needs a broker with ${JSON.stringify(config)}`);
    return;
  }
  try {
    await controls.withBroker(config, async (broker) => {
      await inParallel(group, width, async (job) => {
        report(await runJob(job, broker.target, unserved, broker));
        left.delete(job);
      });
    });
  } catch (error) {
    giveUp(error instanceof SkipError ? "skip" : "fail", messageOf(error));
  }
}

async function runJob(
  job: Job,
  target: Target,
  unserved: ReadonlySet<Version>,
  broker?: ControlledBroker,
): Promise<Result> {
  const login = job.one.needs?.passwords === true ? { userName: "alice", password: "secret" } : {};
  if (job.one.webSocket === true && target.wsPort === undefined)
    return resultOf(job, "skip", "no WebSocket port", 0);
  const { version } = job;
  const trial = new Trial({ version, target, login, unserved, ...(broker === undefined ? {} : { broker }) });
  const startMs = performance.now();
  const end = (status: Result["status"], reason: string): Result =>
    resultOf(job, status, reason, Math.round(performance.now() - startMs));
  try {
    await withDeadline(job.one.run(trial));
    return end("pass", "");
  } catch (error) {
    return end(error instanceof SkipError ? "skip" : "fail", messageOf(error));
  } finally {
    await trial.cleanUp();
  }
}

function resultOf({ one, version }: Job, status: Result["status"], reason: string, ms: number): Result {
  const id = one.ids.filter((id) => id.startsWith(`${version} `) || id === version);
  const contract = one.contract === true;
  return { id: id.length > 0 ? id : one.ids, title: one.title, version, contract, status, reason, ms };
}

async function withDeadline(running: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the case did not end within ${CASE_MS} ms`)), CASE_MS);
  });
  try {
    await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const nested = error instanceof AggregateError ? ` ${error.errors.map(String).join(", ")}` : "";
  return `${error.message}${nested}`;
}
