// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Signal, type ISignal } from '@lumino/signaling';

import { MAX_SELECTED } from './state';

/**
 * The selected runs by their ids, so that sorting and filtering leave them selected, and the run
 * that keys act on.
 */
export class RunSelection {
  /** Emitted when other runs are selected or active. */
  get changed(): ISignal<RunSelection, void> {
    return this._changed;
  }

  /** How many runs are selected. */
  get size(): number {
    return this._ids.size;
  }

  /** The ids of the selected runs, in the order they were selected. */
  get ids(): string[] {
    return [...this._ids];
  }

  /** The run that keys act on. */
  get active(): string | null {
    return this._active;
  }

  /** Where the active run stands among the rows; -1 when nobody knows. */
  get row(): number {
    return this._row;
  }

  /** Where a range of rows begins. */
  get anchor(): number {
    return this._anchor;
  }

  /** Whether a run is selected. */
  has(id: string): boolean {
    return this._ids.has(id);
  }

  /**
   * Select these runs and no others; at most `MAX_SELECTED` of them.
   */
  set(ids: Iterable<string>): void {
    const wanted = new Set<string>();
    for (const id of ids) {
      if (wanted.size === MAX_SELECTED) {
        break;
      }
      wanted.add(id);
    }
    const isSame =
      wanted.size === this._ids.size &&
      [...wanted].every(id => this._ids.has(id));
    if (!isSame) {
      this._ids = wanted;
      this._changed.emit();
    }
  }

  /** Select a run that is not selected, or no longer one that is. */
  toggle(id: string): void {
    const ids = new Set(this._ids);
    if (!ids.delete(id)) {
      ids.add(id);
    }
    this.set(ids);
  }

  /**
   * Make a run the one that keys act on.
   *
   * @param id - The run; null while its row is being read
   * @param row - Where it stands
   * @param anchor - Whether ranges begin there from now on
   */
  activate(id: string | null, row: number, anchor = true): void {
    if (anchor) {
      this._anchor = row;
    }
    if (id !== this._active || row !== this._row) {
      this._active = id;
      this._row = row;
      this._changed.emit();
    }
  }

  /**
   * Rows moved because others came or went above them.
   *
   * @param from - The first of them
   * @param by - How many rows down
   */
  moved(from: number, by: number): void {
    const place = (row: number): number => (row < from ? row : row + by);
    this._row = place(this._row);
    this._anchor = place(this._anchor);
  }

  /** The rows are others now: the active run is somewhere else. */
  lose(): void {
    this._row = -1;
    this._anchor = -1;
  }

  private _active: string | null = null;
  private _anchor = -1;
  private _changed = new Signal<RunSelection, void>(this);
  private _ids = new Set<string>();
  private _row = -1;
}
