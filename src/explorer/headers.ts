// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Signal, type ISignal } from '@lumino/signaling';

import type { ExplorerModel } from './model';

/**
 * The header that keys act on, while they act on headers and not on rows.
 */
export class HeaderCursor {
  /**
   * Create a cursor, which is on no header.
   *
   * @param _model - Knows the columns
   */
  constructor(private readonly _model: ExplorerModel) {}

  /** Emitted when it is on another header, or on none any more. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The column whose header it is on; null while keys act on rows. */
  get key(): string | null {
    if (!this._isActive) {
      return null;
    }
    const { keys } = this;
    // a column that was hidden leaves the cursor where it was
    return this._key !== null && keys.includes(this._key)
      ? this._key
      : (keys[Math.min(this._index, keys.length - 1)] ?? null);
  }

  /** The keys of all columns, from the left. */
  get keys(): readonly string[] {
    return [...this._model.pinned, ...this._model.scrolling];
  }

  /** Go to the header where it was the last time, at first to the leftmost one. */
  enter(): void {
    this._isActive = true;
    this._go(this._key === null ? 0 : this._at());
  }

  /** Let keys act on rows again. */
  leave(): void {
    if (this._isActive) {
      this._isActive = false;
      this._changed.emit();
    }
  }

  /**
   * Go to another header.
   *
   * @param by - So many to the right; to the left where it is less than 0
   */
  step(by: number): void {
    this._go(this._at() + by);
  }

  private _at(): number {
    const index = this._key === null ? -1 : this.keys.indexOf(this._key);
    return index >= 0 ? index : this._index;
  }

  private _go(index: number): void {
    const { keys } = this;
    this._index = Math.max(0, Math.min(keys.length - 1, index));
    this._key = keys[this._index] ?? null;
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _index = 0;
  private _isActive = false;
  private _key: string | null = null;
}
