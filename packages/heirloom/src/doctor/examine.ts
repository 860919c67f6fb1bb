// Looks at a configuration and says what is open. Reads no file: what has to be read stands in `Facts`.

import type { ListenerSettings } from "../config/listener-settings.ts";
import type { Settings } from "../config/settings.ts";
import { isLoopback } from "../loopback.ts";
import type { Facts, FileFacts } from "./facts.ts";
import type { Advice, Severity } from "./finding.ts";

const SEVERITIES: readonly Severity[] = ["danger", "warning", "note"];
const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;
/** Fewer open files than this do not last for a server of any size. */
const FEW_FILES = 65_536;
const NEVER_EXPIRES = 0xffff_ffff;

/** Everything that is open, the worst first. */
export function examine(settings: Settings, facts: Facts): Advice[] {
  const advice = [
    ...settings.listeners.flatMap((listener, index) => ofListener(listener, index, settings)),
    ...ofNames(settings),
    ...ofPermissions(settings),
    ...facts.files.flatMap(ofFile),
    ...facts.certificateDates.map(({ listener, problem }) => ofDates(listener, problem)),
    ...ofHashes(facts),
    ...ofProcess(settings, facts),
    ...ofLimits(settings),
  ];
  return advice.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

function ofListener(listener: ListenerSettings, index: number, settings: Settings): Advice[] {
  if (!isReachable(listener)) return [];
  const advice: Advice[] = [];
  const about = `listeners[${index}]`;
  if (listener.allowAnonymous) {
    advice.push({
      severity: "danger",
      about: `${about}.allowAnonymous`,
      problem: `anyone who can reach ${placeOf(listener)} may connect without a name or password`,
      change: "set `authentication`, and `allowAnonymous: false`",
    });
  }
  if (listener.tls === undefined) advice.push(plainText(listener, about, settings));
  if (listener.transport === "websocket" && listener.allowedOrigins?.includes("*") === true) {
    advice.push({
      severity: "note",
      about: `${about}.allowedOrigins`,
      problem: "web pages of all origins may connect from the browsers of their visitors",
      change: "name the origins of your own pages",
    });
  }
  return advice;
}

function plainText(listener: ListenerSettings, about: string, settings: Settings): Advice {
  const isProxied = listener.proxyProtocol !== undefined || listener.trustedProxies.length > 0;
  const whatIsSeen = settings.authentication.length > 0 ? "passwords and messages" : "all messages";
  return {
    severity: isProxied ? "note" : "danger",
    about: `${about}.tls`,
    problem: isProxied
      ? "no encryption between the proxy and this server"
      : `everybody on the way to ${placeOf(listener)} can read and change ${whatIsSeen}`,
    change: isProxied
      ? "see that only the proxy can reach this listener"
      : "set `tls`, or listen on 127.0.0.1",
  };
}

/** A name is one account, whoever vouches for it. Passwords and SCRAM have the same files, and the same operator. */
function ofNames({ authentication }: Settings): Advice[] {
  const kinds = new Set(
    authentication.map((item) => {
      if (typeof item === "function") return "function";
      return "scram" in item ? "passwordFile" : (Object.keys(item)[0] ?? "");
    }),
  );
  if (kinds.size < 2) return [];
  return [
    {
      severity: "note",
      about: "authentication",
      problem: `the same name of ${[...kinds].join(" and ")} is the same account: each of them can be anybody`,
      change: "see that nobody can choose a name of their own; see docs/guides/identity.md",
    },
  ];
}

function ofPermissions({ permissions, listeners, limits }: Settings): Advice[] {
  const advice: Advice[] = [];
  if (permissions === undefined) {
    advice.push({
      severity: listeners.some(isReachable) ? "warning" : "note",
      about: "permissions",
      problem: "every client may publish and subscribe to every topic",
      change: "set `permissions`",
    });
  }
  if (limits.sessionOwner === "anyone") {
    advice.push({
      severity: "warning",
      about: "sessionOwner",
      problem: "whoever knows a client identifier can take over its session and the messages in it",
      change: "set `sessionOwner: account`",
    });
  }
  if (limits.controlCharacters === "everywhere") {
    advice.push({
      severity: "warning",
      about: "controlCharacters",
      problem: "names with control characters can deceive whoever looks at them in other programs",
      change: "set `controlCharacters: topics`, or `nowhere`",
    });
  }
  return advice;
}

function ofDates(listener: number, problem: string): Advice {
  const change = "put another certificate in its place, and send SIGHUP to the server";
  return { severity: "warning", about: `listeners[${listener}].tls`, problem, change };
}

function ofFile({ file, holds, mode }: FileFacts): Advice[] {
  if (mode === undefined) return [];
  if ((mode & OTHERS_WRITE) !== 0) {
    return [
      {
        severity: "danger",
        about: file,
        problem: "every user of this machine can change it",
        change: `chmod o-w ${file}`,
      },
    ];
  }
  if (holds === "configuration" || (mode & OTHERS_READ) === 0) return [];
  return [
    {
      severity: holds === "secrets" ? "danger" : "warning",
      about: file,
      problem: `every user of this machine can read ${holds === "secrets" ? "the secrets" : "the messages"} in it`,
      change: holds === "secrets" ? `chmod o-r ${file}` : `chmod 700 ${file}`,
    },
  ];
}

function ofHashes({ weakHashes }: Facts): Advice[] {
  return weakHashes.map(({ file, users }) => ({
    severity: "warning",
    about: file,
    problem: `the passwords of ${users} users are stored as $6$, which can be guessed by the billion if the file gets out`,
    change: "set these passwords anew with `heirloom passwd`",
  }));
}

function ofProcess({ limits }: Settings, { isRoot, openFiles, coreDumpBytes = 0 }: Facts): Advice[] {
  const advice: Advice[] = [];
  if (isRoot) {
    advice.push({
      severity: "danger",
      about: "process",
      problem: "it runs as root: whoever takes it over has the whole machine",
      change: "run it as a user of its own; see docs/guides/hardening.md",
    });
  }
  if (coreDumpBytes > 0) {
    advice.push({
      severity: "warning",
      about: "process",
      problem: "a crash may leave a core dump, with messages, keys and passwords in it",
      change: "turn that off (`LimitCORE=0` of systemd, `--ulimit core=0` of Docker, `ulimit -c 0`)",
    });
  }
  if (openFiles !== undefined && openFiles < limits.connections) {
    advice.push({
      severity: openFiles < Math.min(FEW_FILES, limits.connections) ? "warning" : "note",
      about: "connections",
      problem: `${limits.connections} connections are allowed, but this process may only open ${openFiles} files`,
      change: "raise the limit (`LimitNOFILE=` of systemd, `ulimit -n`), or lower `connections`",
    });
  }
  return advice;
}

/** Limits that were switched off, and what can happen then. */
function ofLimits({ limits, admission, listeners }: Settings): Advice[] {
  const offs: readonly (readonly [
    isOff: boolean,
    severity: Severity,
    about: string,
    problem: string,
    example: string,
  ])[] = [
    [
      limits.memoryBytes === 0,
      "warning",
      "memoryBytes",
      "the system may end the process when memory runs out",
      "4GiB, or leave it out",
    ],
    [
      admission.connectionsPerAddress === 0,
      "note",
      "connectionsPerAddress",
      "one address can take all connections",
      "100",
    ],
    [
      admission.connectRatePerAddress === 0,
      "note",
      "connectRatePerAddress",
      "one address can keep the server busy with connecting",
      "10",
    ],
    [
      limits.keepAliveMaximum === 0,
      "note",
      "keepAliveMaximum",
      "clients may hold connections for ever without a sign of life",
      "20m",
    ],
    [
      limits.takeoversPerMinute === 0,
      "note",
      "takeoversPerMinute",
      "clients with the same identifier may drive each other out without end",
      "120",
    ],
    [
      limits.packetRate === 0 && listeners.some(isReachable),
      "note",
      "packetRate",
      "one client may send as fast as it can",
      "1000",
    ],
    [
      limits.sessionExpiryMaximum === NEVER_EXPIRES,
      "note",
      "sessionExpiryMaximum",
      "sessions that nobody comes back to are kept for ever, with what waits for them",
      "30d",
    ],
  ];
  return offs
    .filter(([isOff]) => isOff)
    .map(([, severity, about, problem, example]) => ({
      severity,
      about,
      problem,
      change: `set \`${about}\`, such as ${example}`,
    }));
}

/** Whether other machines can connect. */
function isReachable({ host, socket }: ListenerSettings): boolean {
  return socket === undefined && (host === undefined || !isLoopback(host));
}

function placeOf({ host, port }: ListenerSettings): string {
  return `${host ?? "port"} ${port}`;
}
