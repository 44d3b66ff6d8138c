// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { SyncStatus } from '../api/schema';
import type {
  IHubState,
  IProjectClones,
  IWorkspaceEvent,
  IWorkspaceTracker
} from '../tokens';
import { WorkspaceState } from '../workspacestate';
import type { SyncClient } from './client';

/**
 * How the workspace at hand and its hub stand to each other.
 */
export class HubState extends WorkspaceState<SyncStatus> implements IHubState {
  /**
   * Follow the workspace at hand.
   *
   * @param tracker - Knows the workspace, and hears the server's events
   * @param client - Asks the server
   * @param clones - What is being cloned
   */
  constructor(
    tracker: IWorkspaceTracker,
    client: Pick<SyncClient, 'status'>,
    readonly clones: IProjectClones
  ) {
    super(tracker, path => client.status(path));
    tracker.syncChanged.connect(this._onSyncChanged, this);
  }

  private _onSyncChanged(_: IWorkspaceTracker, event: IWorkspaceEvent): void {
    if (event.sync) {
      this.take(event.sync);
    }
  }
}
