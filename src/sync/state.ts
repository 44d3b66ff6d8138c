// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { SyncStatus } from '../api/schema';
import type { IHubState, IWorkspaceEvent, IWorkspaceTracker } from '../tokens';
import type { SyncClient } from './client';

/**
 * How the workspace at hand and its hub stand to each other.
 *
 * #### Notes
 * The server tells what changes; it is asked when another workspace is at hand, and when it was out
 * of reach.
 */
export class HubState implements IHubState, IDisposable {
  /**
   * Follow the workspace at hand.
   *
   * @param tracker - Knows the workspace, and hears the server's events
   * @param client - Asks the server
   */
  constructor(
    private readonly _tracker: IWorkspaceTracker,
    private readonly _client: Pick<SyncClient, 'status'>
  ) {
    _tracker.workspaceChanged.connect(this._onWorkspaceChanged, this);
    _tracker.syncChanged.connect(this._onSyncChanged, this);
    this._onWorkspaceChanged();
  }

  get status(): SyncStatus | null {
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
    this._tracker.workspaceChanged.disconnect(this._onWorkspaceChanged, this);
    this._tracker.syncChanged.disconnect(this._onSyncChanged, this);
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

  private _onSyncChanged(_: IWorkspaceTracker, event: IWorkspaceEvent): void {
    if (event.sync) {
      // An answer that is on its way is older.
      this._turn++;
      this._set(event.sync);
    }
  }

  private _set(status: SyncStatus | null): void {
    if (status !== this._status) {
      this._status = status;
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _status: SyncStatus | null = null;
  private _turn = 0;
  private _wasOffline = false;
  private _workspace: string | null = null;
}
