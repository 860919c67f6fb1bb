// Makes any text fit for a line of a log or a terminal. Everything that the server prints goes through here, because any of it
// may have come from a client.

/** Characters of one line; the rest is cut off. */
const MOST_CHARACTERS = 2_000;

/**
 * What may not reach a terminal or begin a second line: control characters (and with them ANSI escapes), line separators,
 * what changes the direction of writing, what cannot be seen, and halves of characters.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Escapes what is unsafe as `\u{1b}`, and cuts off what is too long. */
export function printable(text: string): string {
  const short = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}...` : text;
  return short.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
