// What a client of the model may ask about all others, the broker's time and its process.

import type { Limits } from "@heirloom/core";
import type { ClockModel } from "./clock.ts";
import type { MessageInit, MessageModel } from "./message.ts";
import type { ProcessModel } from "./process.ts";
import type { Surroundings } from "./session.ts";

/** Who a client is. */
export interface Identity {
  readonly clientId: string;
  readonly version: 3 | 4 | 5;
  /** Bytes of a packet that it takes at most. */
  readonly maximumPacketSize: number;
}

/** What a client needs to find of others. */
export interface World extends Surroundings {
  readonly clock: ClockModel;
  readonly process: ProcessModel;
  readonly limits: Partial<Limits>;
  /** Whether the broker may leave packets unread for a while. */
  readonly holdsBack: boolean;
  /** How long a message is held back for a full queue before it is refused; `Infinity` = none is. */
  readonly holdTimeoutMs: number;
  /** A message that its publisher will send; its number goes into the payload. */
  newMessage(init: Omit<MessageInit, "id" | "isForbidden">): MessageModel;
  message(id: number): MessageModel | undefined;
  /** Whether the disk may have lost the message with this number; 0 = one with an empty payload. */
  isDamaged(id: number): boolean;
  /** A will arrived somewhere. */
  willCame(message: MessageModel): void;
}
