// Reading files anew while the broker runs: password files, rules, certificates. All of them, or none.

/** Something whose files can be read anew. */
export interface Reloadable {
  /**
   * Reads and checks everything, and changes nothing yet.
   *
   * @returns what makes the change. It is called when all others are prepared too; it must not throw.
   * @throws ConfigError saying which file is wrong, and why.
   */
  prepare(): Promise<() => void>;
}

/** Everything that one broker can read anew. */
export class Reloader {
  readonly #reloadables: Reloadable[] = [];
  #latest: Promise<void> = Promise.resolve();

  add(reloadable: Reloadable): void {
    this.#reloadables.push(reloadable);
  }

  /**
   * Reads everything anew, one call after the other.
   *
   * @param instead what to call instead of `prepare`, for some of them.
   * @throws what the first that failed has thrown; then nothing changed.
   */
  reload(instead: ReadonlyMap<Reloadable, Reloadable["prepare"]> = new Map()): Promise<void> {
    const turn = this.#latest.then(() => this.#reloadNow(instead));
    this.#latest = turn.catch(() => {});
    return turn;
  }

  async #reloadNow(instead: ReadonlyMap<Reloadable, Reloadable["prepare"]>): Promise<void> {
    const changes = await Promise.all(
      this.#reloadables.map((reloadable) => (instead.get(reloadable) ?? (() => reloadable.prepare()))()),
    );
    for (const change of changes) change();
  }
}
