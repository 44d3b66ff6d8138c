// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiError } from '../api/client';
import type {
  Conflict,
  Merge,
  MergeDetail,
  MergeFile,
  MergeResult
} from '../api/schema';
import { asApiError } from '../request';
import type { MergeClient } from './client';

/**
 * What a tab of a merge shows: the merge that is under way, its files, and one of them inside.
 *
 * #### Notes
 * The merge lives on the server, so that it is there again after a reload.
 */
export class MergeModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the merge.
   *
   * @param client - Asks the server
   */
  constructor(readonly client: MergeClient) {
    super();
  }

  /** The merge that is under way; null where there is none. */
  get merge(): Merge | null {
    return this._merge;
  }

  /** Whether it is known if a merge is under way. */
  get isLoaded(): boolean {
    return this._loaded;
  }

  /** What went wrong last. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether the server is at work on what the user asked for. */
  get isBusy(): boolean {
    return this._busy;
  }

  /** What the merge brought, once it is finished or given up. */
  get result(): MergeResult | null {
    return this._result;
  }

  /** The path of the chosen file. */
  get path(): string | null {
    return this._path;
  }

  /** How the chosen file is merged. */
  get detail(): MergeDetail | null {
    return this._detail;
  }

  /** Why that could not be read. */
  get detailError(): ApiError | null {
    return this._detailError;
  }

  /**
   * Read the merge; what is shown stays until the answer is there.
   */
  async load(): Promise<void> {
    try {
      const merge = await this.client.current();
      if (this.isDisposed) {
        return;
      }
      this._error = null;
      this._show(merge);
    } catch (reason) {
      if (this.isDisposed) {
        return;
      }
      this._error = asApiError(reason);
    }
    this._loaded = true;
    this.stateChanged.emit();
    if (this._merge) {
      await this._read();
    }
  }

  /**
   * Show how a file is merged.
   */
  async choose(path: string): Promise<void> {
    if (path === this._path && this._detail) {
      return;
    }
    this._path = path;
    this._detail = null;
    await this._read();
  }

  /**
   * Show a file that has an open conflict.
   *
   * @param forward - Whether the next after the chosen one, else the one before
   * @returns Whether there is another one
   */
  async chooseOpen(forward: boolean): Promise<boolean> {
    const files = this._merge?.files ?? [];
    const at = files.findIndex(file => file.path === this._path);
    const around = forward
      ? [...files.slice(at + 1), ...files.slice(0, Math.max(at, 0))]
      : [...files.slice(0, Math.max(at, 0)), ...files.slice(at + 1)].reverse();
    const next = around.find(file => file.conflicts > 0);
    if (!next) {
      return false;
    }
    await this.choose(next.path);
    return true;
  }

  /**
   * Choose what becomes of a conflict of the chosen file.
   *
   * @param conflict - Its id; empty: all of the file
   * @param choice - What; null opens it again
   * @param text - The result, where it was edited
   * @returns Whether the server took it
   */
  async resolve(
    conflict: string,
    choice: Conflict['choice'],
    text: string | null = null
  ): Promise<boolean> {
    const path = this._path;
    if (path === null) {
      return false;
    }
    const detail = await this._work(() =>
      this.client.resolve({ path, conflict, choice, text })
    );
    if (!detail) {
      return false;
    }
    if (this._path === path) {
      this._detail = detail;
    }
    this._setFile(detail.file);
    this.stateChanged.emit();
    return true;
  }

  /**
   * Write the result and commit it.
   *
   * @returns What it brought; null where it failed
   */
  async finish(description: string): Promise<MergeResult | null> {
    return this._end(() => this.client.finish(description));
  }

  /**
   * Give the merge up.
   *
   * @returns What it brought; null where it failed
   */
  async abort(): Promise<MergeResult | null> {
    return this._end(() => this.client.abort());
  }

  private async _end(
    ask: () => Promise<MergeResult>
  ): Promise<MergeResult | null> {
    const result = await this._work(ask);
    if (result) {
      this._show(null);
      this._result = result;
      this.stateChanged.emit();
    }
    return result;
  }

  /**
   * Have the server do something, one thing at a time.
   */
  private async _work<T>(ask: () => Promise<T>): Promise<T | null> {
    if (this._busy) {
      return null;
    }
    this._busy = true;
    this._error = null;
    this.stateChanged.emit();
    let answer: T | null = null;
    try {
      answer = await ask();
    } catch (reason) {
      this._error = asApiError(reason);
    }
    this._busy = false;
    if (this.isDisposed) {
      return null;
    }
    this.stateChanged.emit();
    return answer;
  }

  private async _read(): Promise<void> {
    const path = this._path;
    if (path === null) {
      return;
    }
    const request = ++this._request;
    this._detailError = null;
    this.stateChanged.emit();
    try {
      const detail = await this.client.file(path);
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._detail = detail;
    } catch (reason) {
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._detailError = asApiError(reason);
    }
    this.stateChanged.emit();
  }

  private _show(merge: Merge | null): void {
    if (merge) {
      this._result = null;
    }
    const isOther = merge?.id !== this._merge?.id;
    this._merge = merge;
    const paths = new Set(merge?.files.map(file => file.path));
    if (isOther || (this._path !== null && !paths.has(this._path))) {
      this._detail = null;
      this._detailError = null;
      this._path =
        this._path !== null && paths.has(this._path)
          ? this._path
          : (merge?.files[0]?.path ?? null);
    }
  }

  private _setFile(file: MergeFile): void {
    const merge = this._merge;
    if (merge) {
      const files = merge.files.map(old =>
        old.path === file.path ? file : old
      );
      const conflicts = files.reduce((sum, one) => sum + one.conflicts, 0);
      this._merge = { ...merge, files, conflicts };
    }
  }

  private _busy = false;
  private _detail: MergeDetail | null = null;
  private _detailError: ApiError | null = null;
  private _error: ApiError | null = null;
  private _loaded = false;
  private _merge: Merge | null = null;
  private _path: string | null = null;
  private _request = 0;
  private _result: MergeResult | null = null;
}
