// All floods, in the order in which they are told.

import type { Flood } from "../flood.ts";
import * as connections from "./connections.ts";
import * as logins from "./logins.ts";
import * as packets from "./packets.ts";
import * as readers from "./readers.ts";
import * as subscriptions from "./subscriptions.ts";
import * as topics from "./topics.ts";

export const FLOODS: readonly Flood[] = [
  readers,
  connections,
  subscriptions,
  topics,
  packets,
  logins,
].flatMap((part) => Object.values(part));
