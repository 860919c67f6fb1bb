// Topic Names: which texts are one. MQTT 5.0 section 4.7.3, 3.1.1 section 4.7.3.

import { encodingFault, HASH, isSurrogate, MAX_LEVELS, PLUS, SLASH } from "./topic-text.ts";

/**
 * Says what is wrong with a Topic Name, as of PUBLISH, a Will or a Response Topic. Reads it once.
 *
 * @param maxLevels - levels that it may have, 1 to 65,536. Trees need memory for each level, so a broker sets a
 *   limit far below what the standard allows.
 * @returns `undefined` when it is valid, else the reason as a sentence. The sentence does not repeat the name.
 */
export function checkTopicName(topicName: string, maxLevels: number = MAX_LEVELS): string | undefined {
  const length = topicName.length;
  // 5.0 [MQTT-4.7.3-1]
  if (length === 0) return "the topic name is empty";
  let levels = 1;
  let hasSurrogates = false;
  for (let i = 0; i < length; i++) {
    const code = topicName.charCodeAt(i);
    // All characters with a meaning lie up to "/", nearly all others behind it.
    if (code > SLASH) {
      if (isSurrogate(code)) hasSurrogates = true;
    } else if (code === SLASH) levels++;
    // 5.0 [MQTT-4.7.0-1], 3.1.1 [MQTT-4.7.1-1]
    else if (code === PLUS || code === HASH) return "the topic name contains a wildcard";
    // 5.0 [MQTT-4.7.3-2]
    else if (code === 0) return "the topic name contains U+0000";
  }
  if (levels > maxLevels) return `the topic name has more than ${maxLevels} levels`;
  const fault = encodingFault(topicName, hasSurrogates);
  return fault === undefined ? undefined : `the topic name ${fault}`;
}
