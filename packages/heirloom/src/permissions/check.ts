// A function of the application as a source of permissions.

import type { ClientInfo } from "@heirloom/core";
import type { PermissionAnswer, PermissionCheck } from "./options.ts";
import type { Source, SourceAccess, SubscribeVerdict, Verdict } from "./verdict.ts";

export class CheckSource implements Source {
  readonly #check: PermissionCheck;

  constructor(check: PermissionCheck) {
    this.#check = check;
  }

  accessOf(client: ClientInfo): SourceAccess {
    const check = this.#check;
    return {
      publish: (topic, qos, retain) =>
        when(check({ action: "publish", client, topic, qos, retain, shareName: undefined }), verdictOf),
      subscribe: (topic, qos, shareName) =>
        when(
          check({ action: "subscribe", client, topic, qos, retain: false, shareName }),
          (answer): SubscribeVerdict => (answer === "allow" ? qos : withoutAllow(answer)),
        ),
      receive: (topic) => {
        const request = {
          action: "receive",
          client,
          topic,
          qos: 0,
          retain: false,
          shareName: undefined,
        } as const;
        const answer = check(request);
        return answer instanceof Promise ? refused(answer) : verdictOf(answer);
      },
    };
  }
}

function when<T>(
  answer: PermissionAnswer | Promise<PermissionAnswer>,
  use: (answer: PermissionAnswer) => T,
): T | Promise<T> {
  return answer instanceof Promise ? answer.then(use) : use(answer);
}

function verdictOf(answer: PermissionAnswer): Verdict {
  return answer === "allow" ? "allow" : withoutAllow(answer);
}

/** What is none of the three answers is a refusal: a program without types may give anything. */
function withoutAllow(answer: PermissionAnswer): "deny" | undefined {
  return answer === "ignore" ? undefined : "deny";
}

/** The delivery cannot wait for it. What it fails with is of no interest either. */
function refused(answer: Promise<PermissionAnswer>): "deny" {
  answer.catch(() => undefined);
  return "deny";
}
