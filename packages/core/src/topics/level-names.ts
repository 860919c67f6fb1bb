// The names of levels as small numbers: each text is kept once for all nodes of a tree, and a node needs four bytes
// for it. Counts the nodes that use a name and forgets it after the last one.

/** The number of no name. */
export const UNKNOWN_LEVEL = 0;

export class LevelNames {
  // A Map, whose string hash has a secret seed: "__proto__" is a name like all others, and collisions of chosen
  // names cannot be prepared.
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [""];
  readonly #uses: number[] = [0];
  readonly #freeIds: number[] = [];

  /** The number of a name in use, else {@link UNKNOWN_LEVEL}. */
  idOf(name: string): number {
    return this.#ids.get(name) ?? UNKNOWN_LEVEL;
  }

  /** The name of a number in use. */
  nameOf(id: number): string {
    return this.#names[id] ?? "";
  }

  /** Takes a name into use once more and returns its number, 1 or more. */
  use(name: string): number {
    const known = this.idOf(name);
    if (known !== UNKNOWN_LEVEL) {
      this.#uses[known] = (this.#uses[known] ?? 0) + 1;
      return known;
    }
    const id = this.#freeIds.pop() ?? this.#names.length;
    const own = copyOf(name);
    this.#ids.set(own, id);
    this.#names[id] = own;
    this.#uses[id] = 1;
    return id;
  }

  /** Takes back one {@link use}. After the last the number may come to stand for another name. */
  unuse(id: number): void {
    const uses = (this.#uses[id] ?? 0) - 1;
    this.#uses[id] = uses;
    if (uses > 0) return;
    this.#ids.delete(this.nameOf(id));
    this.#names[id] = "";
    this.#freeIds.push(id);
  }
}

/**
 * A copy that stands for itself. V8 keeps a longer part of a string as a view of the whole, so that a level of 20
 * characters could hold a topic of 65,535 in memory; `join` writes a string anew.
 */
function copyOf(text: string): string {
  return text.length < 2 ? text : [text.slice(0, 1), text.slice(1)].join("");
}
