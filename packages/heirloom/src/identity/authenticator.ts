// What every way of showing who a client is has in common. The chain asks several of them, in order.

import type { Connect } from "@heirloom/codec";
import type { Admission, ClientInfo, Refusal } from "@heirloom/core";

/** What an authenticator says of a client: who it is, that it may not come in, or that others may know it. */
export type Answer = Admission | Refusal | "unknown";

/** One client that wants to come in. */
export interface Attempt {
  readonly connect: Connect;
  readonly client: ClientInfo;
  /** Whether it is refused by now, because others guessed meanwhile. Asked before a password is looked at. */
  refusal(): Refusal | undefined;
}

/** One way of showing who a client is. */
export interface Authenticator {
  /** How messages call it, such as "passwordFile". */
  readonly name: string;

  authenticate(attempt: Attempt): Promise<Answer> | Answer;

  /** The work of looking at a wrong password, for a client whom nobody knew: so that time does not tell who is known. */
  decoy?(attempt: Attempt): Promise<Refusal | undefined>;
}

/** An authenticator of the application. `"unknown"` = the next one is asked. What it throws refuses the client. */
export type AuthenticateFunction = (connect: Connect, client: ClientInfo) => Promise<Answer> | Answer;

/** Whether an answer refuses. */
export function isRefusal(answer: Admission | Refusal): answer is Refusal {
  return "reasonCode" in answer;
}
