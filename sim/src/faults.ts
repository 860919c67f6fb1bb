// Planted faults: each takes the place of a method of the production core, breaks one promise, and has to be found by the
// model. They judge the judge. Nothing of this is in the production packages.

import type { Fault } from "./fault.ts";
import { DELIVERY_FAULTS } from "./faults/delivery.ts";
import { QOS_FAULTS } from "./faults/qos.ts";
import { RETAINED_FAULTS } from "./faults/retained.ts";
import { SESSION_FAULTS } from "./faults/sessions.ts";
import { STORE_FAULTS } from "./faults/store.ts";
import { SUBSCRIPTION_FAULTS } from "./faults/subscriptions.ts";
import { WILL_FAULTS } from "./faults/wills.ts";

export const FAULTS: readonly Fault[] = [
  ...STORE_FAULTS,
  ...QOS_FAULTS,
  ...DELIVERY_FAULTS,
  ...SUBSCRIPTION_FAULTS,
  ...RETAINED_FAULTS,
  ...SESSION_FAULTS,
  ...WILL_FAULTS,
];

/** Plants the fault of this name. @throws RangeError when there is none. */
export function plantFault(name: string): () => void {
  const fault = FAULTS.find((candidate) => candidate.name === name);
  if (fault === undefined) throw new RangeError(`no planted fault is called "${name}"`);
  return fault.plant();
}
