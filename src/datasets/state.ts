// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { DatasetStatus, DatasetVersionList } from '../api/schema';
import type {
  IDatasetsState,
  IWorkspaceEvent,
  IWorkspaceTracker
} from '../tokens';
import { WorkspaceState } from '../workspacestate';
import type { DatasetsClient } from './client';

/**
 * The datasets of the workspace at hand, and what is done with them.
 *
 * #### Notes
 * The server is asked as well when runs were recorded (they may have made a version), and when files
 * changed (the one that says what is attached may be among them).
 */
export class DatasetsState
  extends WorkspaceState<DatasetStatus>
  implements IDatasetsState
{
  /**
   * Follow the workspace at hand.
   *
   * @param tracker - Knows the workspace, and hears the server's events
   * @param client - Asks the server
   */
  constructor(
    tracker: IWorkspaceTracker,
    private readonly _client: Pick<DatasetsClient, 'status' | 'versions'>
  ) {
    super(tracker, path => _client.status(path));
    tracker.datasetsChanged.connect(this._onDatasetsChanged, this);
    tracker.runsChanged.connect(this._onMaybeChanged, this);
    tracker.statusChanged.connect(this._onMaybeChanged, this);
  }

  versions(name: string, offset: number): Promise<DatasetVersionList> {
    return this._client.versions(
      this.tracker.workspace?.path ?? '',
      name,
      offset
    );
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
}
