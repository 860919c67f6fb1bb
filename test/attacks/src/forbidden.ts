// Permissions by the name of the topic, which can change: who may not publish there, while everybody may receive.

import type { Access, Permissions } from "@heirloom/core";

/** Nobody may publish to these topics. Whoever stays is not asked again at a change, but a will is. */
export class Forbidden implements Permissions {
  readonly #topics = new Set<string>();
  #changed: () => void = () => undefined;

  accessOf(): Access {
    return {
      publish: (topicName) => (this.#topics.has(topicName) ? { reasonCode: 0x87 } : undefined),
      subscribe: () => undefined,
      receive: () => true,
    };
  }

  start(changed: () => void): void {
    this.#changed = changed;
  }

  stop(): void {
    this.#topics.clear();
  }

  change(topicName: string, isForbidden: boolean): void {
    if (isForbidden) this.#topics.add(topicName);
    else this.#topics.delete(topicName);
    this.#changed();
  }
}
