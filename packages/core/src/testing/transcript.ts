// Runs conversations that are written down as text, and writes down what happened, in the order in which it happened.
//
//   # A QoS 2 message is delivered once although the broker dies after PUBREC.
//   publish pub packet-id=7 topic=a/b qos=2 payload="x"
//   ----
//   store log a/# +1 | pub received 7
//   sync
//   -> pub PUBREC 7
//
// Commands stand above the line, one or more; they happen in one turn. What follows from them stands below it, up to an
// empty line. So "on disk before it is acknowledged" can be read off the page.

import type { ProtocolVersion, QoS } from "@heirloom/codec";
import { BatchWords } from "./batch-words.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { type DiskState, MemoryDisk } from "./memory-disk.ts";
import type { TestClient, WillInit } from "./test-client.ts";

/** Words of a command: those with a name, and those without. */
interface Command {
  readonly verb: string;
  readonly plain: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

/** Runs a transcript. Returns it with what really happened below each line; equal to `text` when all is as written. */
export async function runTranscript(text: string): Promise<string> {
  const runner = await Runner.start();
  const sections: string[] = [];
  for (const section of text.trimEnd().split("\n\n")) sections.push(await runner.section(section));
  return `${sections.join("\n\n")}\n`;
}

class Runner {
  readonly #broker: MemoryBroker;
  readonly #clients = new Map<string, TestClient>();
  #happened: string[] = [];

  private constructor() {
    const words = new BatchWords();
    const disk = new MemoryDisk((batch, moment) => {
      const what = words.of(batch);
      if (what !== "") this.#happened.push(moment === "commit" ? `store ${what}` : STORE_MOMENTS[moment]);
    });
    this.#broker = new MemoryBroker({
      disk,
      came: (client, packet) => this.#happened.push(`-> ${client} ${packet}`),
    });
  }

  static async start(): Promise<Runner> {
    const runner = new Runner();
    await runner.#broker.open();
    return runner;
  }

  /** Runs the commands of a section, and returns it with what happened. */
  async section(section: string): Promise<string> {
    const lines = section.split("\n");
    const end = lines.indexOf("----");
    const above = end === -1 ? lines : lines.slice(0, end);
    const commands = above.filter((line) => line !== "" && !line.startsWith("#")).map(parseCommand);
    if (commands.length === 0) return section;
    this.#happened = [];
    for (const command of commands) await this.#run(command);
    await this.#broker.settle();
    for (const [name, client] of this.#clients) {
      if (!client.isClosed) continue;
      this.#clients.delete(name);
      this.#happened.push(`${name} is closed`);
    }
    return [...above, "----", ...this.#happened].join("\n");
  }

  async #run(command: Command): Promise<void> {
    const [what = ""] = command.plain;
    switch (command.verb) {
      case "advance":
        return this.#broker.advance(Number(what));
      case "restart":
        this.#clients.clear();
        return this.#broker.restart(command.named.has("down") ? Number(command.named.get("down")) : 0);
      case "stop":
        return this.#broker.stopAndStart();
      case "disk":
        this.#broker.disk.state = diskState(what);
        return;
      case "connect":
        this.#connect(what, command);
        return;
      default:
        this.#say(this.#client(what), command);
    }
  }

  #client(name: string): TestClient {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`client "${name}" is not connected`);
    return client;
  }

  #connect(name: string, { named }: Command): void {
    const client = this.#broker.client(name, numberOf(named, "version", 5) as ProtocolVersion);
    this.#clients.set(name, client);
    const properties: Record<string, number> = {};
    if (named.has("expiry")) properties["sessionExpiryInterval"] = numberOf(named, "expiry", 0);
    if (named.has("receive-maximum")) properties["receiveMaximum"] = numberOf(named, "receive-maximum", 1);
    client.sendConnect({
      cleanStart: numberOf(named, "clean-start", 0) === 1,
      keepAlive: numberOf(named, "keep-alive", 0),
      properties,
      ...(named.has("will") ? { will: willOf(named) } : {}),
    });
  }

  #say(client: TestClient, { verb, plain, named }: Command): void {
    const packetId = Number(plain[1] ?? 0);
    const reasonCode = numberOf(named, "reason", 0);
    switch (verb) {
      case "subscribe":
        return client.sendSubscribe(
          [filterOf(named)],
          named.has("id") ? numberOf(named, "id", 0) : undefined,
        );
      case "publish":
        return client.sendPublish({
          topicName: named.get("topic") ?? "",
          qos: numberOf(named, "qos", 0) as QoS,
          dup: numberOf(named, "dup", 0) === 1,
          retain: numberOf(named, "retain", 0) === 1,
          payload: named.get("payload") ?? "",
          ...(named.has("packet-id") ? { packetId: numberOf(named, "packet-id", 0) } : {}),
          ...(named.has("expiry") ? { messageExpiryInterval: numberOf(named, "expiry", 0) } : {}),
        });
      case "unsubscribe":
        return client.sendUnsubscribe([named.get("filter") ?? ""]);
      case "puback":
      case "pubrec":
      case "pubrel":
      case "pubcomp":
        return client.send({ type: ACKS[verb], packetId, reasonCode });
      case "disconnect":
        return client.sendDisconnect(
          reasonCode,
          named.has("expiry") ? numberOf(named, "expiry", 0) : undefined,
        );
      case "drop":
        this.#clients.delete(client.name);
        return client.cut();
      default:
        throw new Error(`no such command: ${verb}`);
    }
  }
}

const STORE_MOMENTS = { synced: "sync", refused: "refused" } as const;
const ACKS = { puback: 4, pubrec: 5, pubrel: 6, pubcomp: 7 } as const;

/** `verb plain name=value name="value with spaces"`. */
function parseCommand(line: string): Command {
  const plain: string[] = [];
  const named = new Map<string, string>();
  const [verb = "", ...rest] = line.match(/[^\s"]+(?:"[^"]*")?/g) ?? [];
  for (const word of rest) {
    const at = word.indexOf("=");
    if (at === -1) plain.push(word);
    else named.set(word.slice(0, at), word.slice(at + 1).replaceAll('"', ""));
  }
  return { verb, plain, named };
}

function numberOf(named: ReadonlyMap<string, string>, name: string, absent: number): number {
  const text = named.get(name);
  return text === undefined ? absent : Number(text);
}

function filterOf(named: ReadonlyMap<string, string>): { topicFilter: string; qos: QoS; noLocal: boolean } {
  const topicFilter = named.get("filter") ?? "";
  return { topicFilter, qos: numberOf(named, "qos", 2) as QoS, noLocal: named.get("no-local") === "1" };
}

function willOf(named: ReadonlyMap<string, string>): WillInit {
  return {
    topicName: named.get("will") ?? "",
    qos: numberOf(named, "will-qos", 0) as QoS,
    willDelayInterval: numberOf(named, "will-delay", 0),
    payload: named.get("will-payload") ?? "gone",
  };
}

function diskState(word: string): DiskState {
  if (word === "ok" || word === "full" || word === "broken" || word === "slow") return word;
  throw new Error(`no such state of a disk: ${word}`);
}
