// Which texts may name a user. Whatever comes from outside and becomes an account goes through here.

/** The longest user name that MQTT can carry. */
const MAXIMUM_BYTES = 65_535;

// C0 and C1 controls, DEL, and what cannot be written in UTF-8.
// eslint-disable-next-line no-control-regex -- they are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufeff]/;

/** What is wrong with a user name; `undefined` when nothing is. */
export function usernameFault(username: string): string | undefined {
  if (username === "") return "an empty user name";
  if (FORBIDDEN.test(withoutPairs(username))) return "a user name with control characters";
  if (Buffer.byteLength(username) > MAXIMUM_BYTES) return `a user name of more than ${MAXIMUM_BYTES} bytes`;
  return undefined;
}

/** Surrogates that belong together are one character, which is allowed. */
function withoutPairs(text: string): string {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "");
}
