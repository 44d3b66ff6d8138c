// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { JSONExt, type ReadonlyPartialJSONValue } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { DatasetStatus, DatasetVersionList } from '../api/schema';
import type {
  IDatasetsState,
  IWorkspaceEvent,
  IWorkspaceTracker
} from '../tokens';
import type { DatasetsClient } from './client';

/**
 * The datasets of the workspace at hand, and what is done with them.
 *
 * #### Notes
 * The server tells what changes through it. It is asked when another workspace is at hand, when it
 * was out of reach, when runs were recorded (they may have made a version), and when files changed
 * (the one that says what is attached may be among them).
 */
export class DatasetsState implements IDatasetsState, IDisposable {
  /**
   * Follow the workspace at hand.
   *
   * @param tracker - Knows the workspace, and hears the server's events
   * @param client - Asks the server
   */
  constructor(
    private readonly _tracker: IWorkspaceTracker,
    private readonly _client: Pick<DatasetsClient, 'status' | 'versions'>
  ) {
    _tracker.workspaceChanged.connect(this._onWorkspaceChanged, this);
    _tracker.datasetsChanged.connect(this._onDatasetsChanged, this);
    _tracker.runsChanged.connect(this._onMaybeChanged, this);
    _tracker.statusChanged.connect(this._onMaybeChanged, this);
    this._onWorkspaceChanged();
  }

  get status(): DatasetStatus | null {
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
    const { _tracker: tracker } = this;
    tracker.workspaceChanged.disconnect(this._onWorkspaceChanged, this);
    tracker.datasetsChanged.disconnect(this._onDatasetsChanged, this);
    tracker.runsChanged.disconnect(this._onMaybeChanged, this);
    tracker.statusChanged.disconnect(this._onMaybeChanged, this);
    Signal.clearData(this);
  }

  async load(): Promise<void> {
    const path = this._tracker.workspace?.path;
    const turn = ++this._turn;
    if (path === undefined) {
      return;
    }
    try {
      const status = await this._client.status(path);
      if (!this._isDisposed && turn === this._turn) {
        this._set(status);
      }
    } catch {
      // What is known stays; the panel tells that the server is away, and asks again.
    }
  }

  /** Take an answer of the server about the workspace at hand. */
  take(status: DatasetStatus): void {
    // Another one that is on its way is older.
    this._turn++;
    this._set(status);
  }

  versions(name: string, offset: number): Promise<DatasetVersionList> {
    return this._client.versions(
      this._tracker.workspace?.path ?? '',
      name,
      offset
    );
  }

  private _onWorkspaceChanged(): void {
    const id = this._tracker.workspace?.id ?? null;
    const isOffline = this._tracker.connection === 'offline';
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

  private _onDatasetsChanged(
    _: IWorkspaceTracker,
    event: IWorkspaceEvent
  ): void {
    if (event.datasets) {
      this.take(event.datasets);
    }
  }

  private _onMaybeChanged(): void {
    void this.load();
  }

  private _set(status: DatasetStatus | null): void {
    const isSame = JSONExt.deepEqual(
      status as unknown as ReadonlyPartialJSONValue,
      this._status as unknown as ReadonlyPartialJSONValue
    );
    if (!isSame) {
      this._status = status;
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _status: DatasetStatus | null = null;
  private _turn = 0;
  private _wasOffline = false;
  private _workspace: string | null = null;
}
