// What is measured: one row for each kind of work, with the mqttload runs it takes, the figures read from their
// reports, and the targets of heirloom. Knows nothing of brokers or processes.

/**
 * @typedef {Record<string, any>} LoadReport the JSON object that one mqttload run prints
 *
 * @typedef {object} Figure
 * @property {string} name column heading, unique within its row
 * @property {string} unit
 * @property {(reports: LoadReport[]) => number} of takes the reports of one run, in the order of `loads`
 * @property {number} [ours] heirloom's figure may be this at most
 * @property {number} [ratio] heirloom's figure divided by Mosquitto's may be this at most
 * @property {boolean} [higherIsBetter] turns `ours` and `ratio` into lower bounds
 * @property {{row: string, figure: string, times: number}} [ownBase] heirloom's figure may be `times` its own
 *   figure of another row at most
 *
 * @typedef {object} Load
 * @property {string[]} args of mqttload, without target and duration
 * @property {boolean} timed whether the run lasts `--seconds` instead of a number of messages
 * @property {boolean} [ws] over WebSocket
 * @property {boolean} [mqtt5] needs MQTT 5.0
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} what one line for the report
 * @property {Load[]} loads each one meets a fresh broker
 * @property {Figure[]} figures
 * @property {number} [mostRuns] repeated no more often than this: a run takes minutes and is long enough by itself
 */

/** CPU of the broker for each delivered message. */
const cpuPerMessage = { name: "CPU per message", unit: "us", of: ([run]) => run.cpu_us_per_msg };

/**
 * A row that offers load as fast as the broker takes it and looks at the CPU for each delivery.
 *
 * @param {string} name
 * @param {string} what
 * @param {string} args
 * @param {Partial<Figure>} targets
 * @param {Partial<Load>} needs
 * @returns {Row}
 */
function flow(name, what, args, targets, needs = {}) {
  const load = { args: args.split(" "), timed: true, ...needs };
  return { name, what, loads: [load], figures: [{ ...cpuPerMessage, ...targets }] };
}

// The topic of a retained message: this prefix, a slash and eight digits. 64 bytes is mqttload's default payload.
const retainedPrefix = "bench/retained";
const retainedBytes = retainedPrefix.length + 9 + 64;
const offlinePublish = ["offline", "-q", "1", "--return", "1", "--keep"];

/** @type {Row[]} */
export const rows = [
  flow("pair-1", "QoS 0, one publisher to one subscriber", "pair -P 1 --max-lag 20000", {
    ours: 0.55,
    ratio: 0.2,
  }),
  flow("pair-100", "QoS 0, 100 publishers to 100 subscribers, a topic each", "pair -P 100 --max-lag 20000", {
    ours: 0.55,
    ratio: 0.2,
  }),
  flow("fanout-10", "QoS 0, one publisher to 10 subscribers", "fanout -P 1 -S 10 --max-lag 20000", {
    ours: 0.2,
    ratio: 0.1,
  }),
  flow("fanout-1000", "QoS 0, one publisher to 1,000 subscribers", "fanout -P 1 -S 1000 --max-lag 20000", {
    ours: 0.5,
    ratio: 0.15,
  }),
  flow("fanin-100", "QoS 0, 100 publishers to one wildcard", "fanin -P 100 -S 1 --max-lag 20000", {
    ours: 0.55,
    ratio: 0.2,
  }),
  flow("pair-10-qos1", "QoS 1, 10 pairs, clean sessions", "pair -P 10 -q 1 -w 64", {
    ours: 1.5,
    ratio: 0.25,
  }),
  flow("pair-100-qos1", "QoS 1, 100 pairs, clean sessions", "pair -P 100 -q 1 -w 20", {
    ours: 1.9,
    ratio: 0.25,
  }),
  flow("pair-100-qos1-lasting", "QoS 1, 100 pairs, lasting sessions", "pair -P 100 -q 1 -w 20 -c 0", {
    ours: 3,
    ratio: 0.35,
  }),
  flow("pair-10-qos2", "QoS 2, 10 pairs, clean sessions", "pair -P 10 -q 2 -w 20", {
    ours: 3.2,
    ratio: 0.25,
  }),
  flow("pair-100-qos2-lasting", "QoS 2, 100 pairs, lasting sessions", "pair -P 100 -q 2 -w 20 -c 0", {
    ours: 6,
    ratio: 0.35,
  }),
  {
    name: "latency",
    what: "QoS 0, 10 pairs at 1,000 messages per second in all",
    loads: [{ args: ["latency", "--rate", "1000", "-P", "10"], timed: true }],
    figures: [
      { ...cpuPerMessage, ratio: 1.5 },
      { name: "latency p50", unit: "us", of: ([run]) => run.lat_us.p50, ratio: 1.3 },
      { name: "latency p99", unit: "us", of: ([run]) => run.lat_us.p99, ratio: 1.5 },
    ],
  },
  {
    name: "offline-sessions",
    what: "QoS 1 to one filter with 10,000 lasting sessions that are offline, against 1; one comes back and checks",
    mostRuns: 3,
    loads: [
      { args: [...offlinePublish, "-S", "10000"], timed: true },
      { args: [...offlinePublish, "-S", "1"], timed: true },
    ],
    figures: [
      {
        name: "cost of 10,000 sessions over cost of 1",
        unit: "x",
        of: ([many, one]) => many.store_cpu_us_per_pub / one.store_cpu_us_per_pub,
        ours: 1.2,
      },
      { name: "CPU per publish, 10,000 sessions", unit: "us", of: ([many]) => many.store_cpu_us_per_pub },
      { name: "CPU per publish, 1 session", unit: "us", of: ([, one]) => one.store_cpu_us_per_pub },
    ],
  },
  {
    name: "offline-drain",
    what: "1,000 sessions come back to 1,000 queued QoS 1 messages each",
    mostRuns: 3,
    loads: [{ args: "offline -S 1000 -n 1000 -q 1 --keep --drain-s 300".split(" "), timed: false }],
    figures: [{ ...cpuPerMessage, ours: 3 }],
  },
  {
    name: "conn-10000",
    what: "10,000 connections that subscribe once each",
    loads: [{ args: "conn -n 10000 --subscribe".split(" "), timed: false }],
    figures: [
      { name: "CPU per connection", unit: "us", of: ([run]) => run.cpu_us_per_conn, ours: 100 },
      { name: "resident per connection", unit: "KB", of: ([run]) => run.rss_per_conn_bytes / 1024, ours: 9 },
    ],
  },
  {
    name: "churn",
    what: "connect, subscribe, publish one at QoS 1, receive it, disconnect; 100 at a time",
    loads: [{ args: ["churn", "-q", "1"], timed: true }],
    figures: [{ name: "CPU per life", unit: "us", of: ([run]) => run.cpu_us_per_session, ours: 170 }],
  },
  {
    name: "retain-1m",
    what: "store 1,000,000 retained messages of 64 bytes at QoS 1, then fetch all by one wildcard",
    mostRuns: 3,
    loads: [{ args: `retain -n 1000000 -q 1 --keep --prefix ${retainedPrefix}`.split(" "), timed: false }],
    figures: [
      { name: "CPU per fetched message", unit: "us", of: ([run]) => run.cpu_us_per_msg, ours: 1.6 },
      {
        name: "resident per message over topic and payload",
        unit: "bytes",
        of: ([run]) => run.rss_per_retained_bytes - retainedBytes,
        ours: 300,
      },
      { name: "CPU per stored message", unit: "us", of: ([run]) => run.store_cpu_us_per_msg },
    ],
  },
  flow(
    "v5",
    "pair-100 in MQTT 5.0 with 2 user properties and topic aliases of the publishers",
    "pair -P 100 --max-lag 20000 -V 5 --user-props 2 --alias",
    { ownBase: { row: "pair-100", figure: cpuPerMessage.name, times: 2 } },
    { mqtt5: true },
  ),
  {
    name: "big",
    what: "QoS 0, 10 pairs, 64 KiB payload",
    loads: [{ args: "pair -P 10 -s 65536".split(" "), timed: true }],
    figures: [
      { name: "delivered", unit: "MB/s", of: ([run]) => run.mb_per_s, ratio: 1, higherIsBetter: true },
      cpuPerMessage,
    ],
  },
  flow(
    "ws",
    "pair-100 over WebSocket, a frame for each packet of the clients",
    "pair -P 100 --max-lag 20000 --ws",
    { ownBase: { row: "pair-100", figure: cpuPerMessage.name, times: 3 } },
    { ws: true },
  ),
];

/**
 * The rows of these names, with the rows that their targets refer to, in the order of `rows`.
 *
 * @param {string[]} names all rows if empty
 * @returns {Row[]}
 * @throws {Error} for a name that is not there
 */
export function selectRows(names) {
  if (names.length === 0) return rows;
  const wanted = new Set(names);
  for (const name of names) {
    const row = rows.find((candidate) => candidate.name === name);
    if (row === undefined) {
      throw new Error(`no row "${name}"; there are: ${rows.map((each) => each.name).join(", ")}`);
    }
    for (const figure of row.figures) if (figure.ownBase) wanted.add(figure.ownBase.row);
  }
  return rows.filter((row) => wanted.has(row.name));
}
