// Topics that belong to the broker: no client may publish there, whatever the rules say. MQTT 5.0 section 4.7.2.

const RESERVED: readonly string[] = ["$SYS", "$CONTROL", "$queue", "$local"];
const DOLLAR = 0x24;

/** Whether a topic name is one of the broker's own. Other names that begin with `$` are free. */
export function isReservedTopicName(topicName: string): boolean {
  if (topicName.charCodeAt(0) !== DOLLAR) return false;
  // As a topic filter this would be a shared subscription, so nobody could ask for the message.
  if (topicName.startsWith("$share/")) return true;
  return RESERVED.some((name) => topicName === name || topicName.startsWith(`${name}/`));
}
