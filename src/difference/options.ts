// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IStateDB } from '@jupyterlab/statedb';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

/**
 * How differences are shown.
 */
export interface IDifferenceOptions {
  /** Whether outputs of cells are compared. */
  readonly outputs: boolean;

  /** Whether metadata is compared. */
  readonly metadata: boolean;

  /** Whether execution counts are compared. */
  readonly counts: boolean;

  /** Whether old and new stand side by side rather than below each other. */
  readonly sideBySide: boolean;

  /** Whether long lines are broken. */
  readonly wrap: boolean;

  /** Whether files are shown in their folders. */
  readonly tree: boolean;
}

const DEFAULTS: IDifferenceOptions = {
  outputs: true,
  metadata: false,
  counts: false,
  sideBySide: true,
  wrap: true,
  tree: true
};

const KEY = 'dotscience-jupyter:difference';

/**
 * The way a person likes differences to be shown: the same in all tabs, and remembered.
 */
export class DifferenceOptions {
  /**
   * Create options.
   *
   * @param state - Where they are remembered
   */
  constructor(private readonly _state: IStateDB | null) {}

  /** Emitted when an option was changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The options as they are now. */
  get value(): IDifferenceOptions {
    return this._value;
  }

  /** Take up what was remembered. */
  async restore(): Promise<void> {
    const kept = await this._state?.fetch(KEY).catch(() => undefined);
    if (typeof kept === 'object' && kept !== null) {
      const known = Object.entries(kept).filter(
        ([name, value]) => name in DEFAULTS && typeof value === 'boolean'
      );
      this._value = { ...DEFAULTS, ...Object.fromEntries(known) };
      this._changed.emit();
    }
  }

  /** Change options, and remember them. */
  set(change: Partial<IDifferenceOptions>): void {
    this._value = { ...this._value, ...change };
    this._changed.emit();
    void this._state?.save(KEY, { ...this._value }).catch(() => {
      // not remembered; this page shows it as chosen
    });
  }

  private _changed = new Signal<this, void>(this);
  private _value = DEFAULTS;
}
