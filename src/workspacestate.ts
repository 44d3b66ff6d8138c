// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { JSONExt, type ReadonlyPartialJSONValue } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { IWorkspaceTracker } from './tokens';

/**
 * What the server knows of one matter of the workspace at hand.
 *
 * #### Notes
 * The server is asked when another workspace is at hand, and when it was out of reach. Of what
 * changes meanwhile it tells by events, which subclasses listen to.
 */
export abstract class WorkspaceState<T extends object> implements IDisposable {
  /**
   * Follow the workspace at hand.
   *
   * @param tracker - Knows the workspace, and hears the server's events
   * @param ask - Asks the server about the workspace with a contents path
   */
  constructor(
    protected readonly tracker: IWorkspaceTracker,
    private readonly _ask: (path: string) => Promise<T>
  ) {
    tracker.workspaceChanged.connect(this._onWorkspaceChanged, this);
    this._onWorkspaceChanged();
  }

  get status(): T | null {
    return this._status;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    // also what it listens to
    Signal.clearData(this);
  }

  async load(): Promise<void> {
    const path = this.tracker.workspace?.path;
    const turn = ++this._turn;
    if (path === undefined) {
      return;
    }
    try {
      const status = await this._ask(path);
      const isNew = !JSONExt.deepEqual(
        status as ReadonlyPartialJSONValue,
        this._status as ReadonlyPartialJSONValue
      );
      if (!this._isDisposed && turn === this._turn && isNew) {
        this._set(status);
      }
    } catch {
      // What is known stays; the panel tells that the server is away, and asks again.
    }
  }

  /** Take an answer of the server about the workspace at hand. */
  take(status: T): void {
    // Another one that is on its way is older.
    this._turn++;
    this._set(status);
  }

  private _onWorkspaceChanged(): void {
    const id = this.tracker.workspace?.id ?? null;
    const isOffline = this.tracker.connection === 'offline';
    const isBack = this._wasOffline && !isOffline;
    this._wasOffline = isOffline;
    if (id !== this._workspace) {
      this._workspace = id;
      this._set(null);
    } else if (!isBack) {
      return;
    }
    void this.load();
  }

  private _set(status: T | null): void {
    if (status !== this._status) {
      this._status = status;
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _status: T | null = null;
  private _turn = 0;
  private _wasOffline = false;
  private _workspace: string | null = null;
}
