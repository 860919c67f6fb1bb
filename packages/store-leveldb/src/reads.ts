// The reads of the database that are going on. LevelDB keeps every file that one of them looks at, also when it has replaced it.

export class Reads {
  readonly #ends = new Set<Promise<void>>();

  /** Notes a read that begins; the answer is to be called when its iterator is closed. */
  begin(): () => void {
    let resolve: () => void;
    const end = new Promise<void>((done) => {
      resolve = done;
    });
    this.#ends.add(end);
    return () => {
      this.#ends.delete(end);
      resolve();
    };
  }

  /** Waits for the end of the reads that are going on now, not for those that begin later. */
  async ended(): Promise<void> {
    await Promise.all(this.#ends);
  }
}
