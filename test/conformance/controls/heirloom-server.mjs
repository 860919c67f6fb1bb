// A broker of heirloom with the configuration of a case, as a process of its own so that it can be killed.
//   node heirloom-server.mjs '<BrokerConfig and port, wsPort, data as JSON>'
import { setTimeout as sleep } from "node:timers/promises";
import { createBroker } from "heirloom";

const { port, wsPort, data, ...config } = JSON.parse(process.argv[2] ?? "{}");
const text = (bytes) => Buffer.from(bytes ?? []).toString();

/** What of the configuration is not one of the broker's limits. */
const NO_LIMITS = [
  "deniedTopics",
  "deniedFilters",
  "slowTopics",
  "passwords",
  "enhancedAuthentication",
  "persistence",
  "serverReference",
];

function limits() {
  const own = Object.fromEntries(Object.entries(config).filter(([name]) => !NO_LIMITS.includes(name)));
  const { serverReference } = config;
  return serverReference === undefined ? own : { ...own, redirect: { serverReference, permanent: false } };
}

function denied(topic) {
  return topic.startsWith("denied/")
    ? { reasonCode: 0x87, reasonString: "this topic is denied in this test" }
    : undefined;
}

async function slowly({ topicName }) {
  if (topicName.startsWith("slow/")) await sleep(30);
}

function checkPassword({ username, password }) {
  const right = username === "alice" && text(password) === "secret";
  return right ? undefined : { reasonCode: 0x86, reasonString: "wrong user name or password" };
}

/** CONNECT or AUTH 0x19 gets the challenge, what follows has to be the response. */
function echoExchange() {
  let challenged = false;
  return {
    step(bytes) {
      if (challenged)
        return text(bytes) === "response" ? { outcome: "success" } : { outcome: "refuse", reasonCode: 0x87 };
      challenged = true;
      return { outcome: "continue", data: Buffer.from("challenge") };
    },
  };
}

function hooks() {
  return {
    ...(config.passwords ? { connect: checkPassword } : {}),
    ...(config.slowTopics
      ? { publish: slowly }
      : config.deniedTopics
        ? { publish: ({ topicName }) => denied(topicName) }
        : {}),
    ...(config.deniedFilters ? { subscribe: ({ topicFilter }) => denied(topicFilter) } : {}),
    ...(config.enhancedAuthentication
      ? { authMethods: new Map([["TEST-ECHO", { start: echoExchange }]]) }
      : {}),
  };
}

const broker = await createBroker({
  port,
  wsPort,
  host: "127.0.0.1",
  allowAnonymous: true,
  store: config.persistence ? "leveldb" : "memory",
  data,
  limits: limits(),
  hooks: hooks(),
});
process.on("SIGTERM", () => void broker.stop().then(() => process.exit(0)));
