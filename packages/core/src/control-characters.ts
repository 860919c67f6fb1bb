// Control characters in names that clients choose: U+0001 to U+001F and U+007F to U+009F. They do no harm here, but in
// whatever shows a name: a terminal, a log, a header. MQTT 5.0 section 1.5.4, 3.1.1 section 1.5.3.

import type { Limits } from "./limits.ts";

/** Whether `text` has a control character. */
export function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}

/** What is wrong with a valid topic name or filter by the rules of this broker, as the end of a sentence. */
export function topicFault(topic: string, limits: Limits): string | undefined {
  const isRefused = limits.controlCharacters === "nowhere" && hasControlCharacter(topic);
  return isRefused ? "a topic with control characters" : undefined;
}
