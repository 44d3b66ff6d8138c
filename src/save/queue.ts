// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Does one thing at a time, and once more if it was asked for meanwhile.
 */
export class SaveQueue {
  /**
   * Create a queue.
   *
   * @param save - What is to be done; it is not called again before it has ended
   */
  constructor(private readonly _save: () => Promise<void>) {}

  /**
   * Ask for it to be done.
   *
   * @returns A promise that resolves when nothing is left to do; it never rejects
   */
  request(): Promise<void> {
    if (this._running) {
      this._again = true;
      return this._running;
    }
    this._running = this._run().finally(() => {
      this._running = null;
    });
    return this._running;
  }

  private async _run(): Promise<void> {
    do {
      this._again = false;
      try {
        await this._save();
      } catch (reason) {
        // Whoever saves tells the user; the next publish tries again.
        console.warn('dotscience-jupyter: a notebook was not saved', reason);
      }
    } while (this._again);
  }

  private _again = false;
  private _running: Promise<void> | null = null;
}
