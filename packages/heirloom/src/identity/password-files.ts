// The password files of one broker. What one of several authenticators reads is read once, and all change together.

import { readPasswordFile, type PasswordFile } from "./password-file.ts";

const NOTHING: PasswordFile = { users: new Map(), hashes: [], warnings: [] };

/** The stored password of each user, by user name. */
export type StoredPasswords = ReadonlyMap<string, ReadonlySet<string>>;

export class PasswordFiles {
  readonly #files = new Map<string, PasswordFile>();

  /** Adds a file. @returns what stands in it at any moment. */
  add(file: string): () => PasswordFile {
    this.#files.set(file, NOTHING);
    return () => this.#files.get(file) ?? NOTHING;
  }

  /** Reads all files. @throws ConfigError */
  async prepare(): Promise<() => void> {
    const names = [...this.#files.keys()];
    const read = await Promise.all(names.map((name) => readPasswordFile(name)));
    return () => {
      names.forEach((name, index) => this.#files.set(name, read[index] ?? NOTHING));
    };
  }

  get warnings(): readonly string[] {
    return [...this.#files.values()].flatMap(({ warnings }) => warnings);
  }

  /** Who may log in with which hashes. A user may stand in several files. */
  accounts(): StoredPasswords {
    const accounts = new Map<string, Set<string>>();
    for (const { users } of this.#files.values()) {
      for (const [username, { text }] of users) {
        const texts = accounts.get(username);
        if (texts === undefined) accounts.set(username, new Set([text]));
        else texts.add(text);
      }
    }
    return accounts;
  }

  /** Who could log in before and cannot now, and who cannot with the same password. */
  since(before: StoredPasswords): {
    readonly changed: ReadonlySet<string>;
    readonly gone: ReadonlySet<string>;
  } {
    const now = this.accounts();
    const changed = new Set<string>();
    const gone = new Set<string>();
    for (const [username, texts] of before) {
      const left = now.get(username);
      if (left === undefined) gone.add(username);
      else if ([...texts].some((text) => !left.has(text))) changed.add(username);
    }
    return { changed, gone };
  }
}
