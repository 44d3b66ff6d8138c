// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import type {
  AttachDataset,
  CreateDataset,
  DatasetStatus,
  DatasetVersionList,
  HubProject,
  HubProjects,
  KnownDataset,
  KnownDatasets
} from '../api/schema';
import { request } from '../request';

/**
 * Asks the server about datasets, and has it attach them.
 *
 * Every `path` is a contents path and chooses the workspace. What may take long is begun; the answer
 * tells how far it is, and the server's events when it has ended.
 */
export class DatasetsClient {
  /**
   * Create a client.
   *
   * @param serverSettings - The application's own settings
   */
  constructor(readonly serverSettings: ServerConnection.ISettings) {}

  /** The datasets of a workspace, and what is done with them. */
  status(path: string): Promise<DatasetStatus> {
    return request(this.serverSettings, 'v1/datasets', { path });
  }

  /** The datasets of this machine. */
  async known(path: string): Promise<KnownDataset[]> {
    const answer = await request<KnownDatasets>(
      this.serverSettings,
      'v1/datasets/known',
      { path }
    );
    return answer.items;
  }

  /** The datasets of a hub that the user may see, their own first. */
  async onHub(url: string): Promise<HubProject[]> {
    const answer = await request<HubProjects>(
      this.serverSettings,
      'v1/datasets/hub',
      { url }
    );
    return answer.items;
  }

  /** A page of the versions of a dataset, newest first. */
  versions(
    path: string,
    name: string,
    offset = 0
  ): Promise<DatasetVersionList> {
    return request(this.serverSettings, 'v1/datasets/versions', {
      path,
      name,
      offset
    });
  }

  /** Let a dataset appear in a workspace, or appear there otherwise. */
  attach(path: string, wanted: Partial<AttachDataset>): Promise<DatasetStatus> {
    return this._post('attach', path, wanted);
  }

  /** Attach again what the workspace's file says: one of them, or all. */
  restore(path: string, name = ''): Promise<DatasetStatus> {
    return this._post('restore', path, { name });
  }

  /** Make a dataset of a folder, and attach it. */
  create(
    path: string,
    wanted: Partial<CreateDataset> & { name: string }
  ): Promise<DatasetStatus> {
    return this._post('create', path, wanted);
  }

  /** Make a version of the live folder of an attached dataset. */
  save(path: string, name: string, message: string): Promise<DatasetStatus> {
    return this._post('save', path, { name, message });
  }

  /** Bring the newest version of an attached dataset from its hub. */
  fetch(path: string, name: string): Promise<DatasetStatus> {
    return this._post('fetch', path, { name });
  }

  /** Let a dataset not appear in a workspace any more. */
  detach(path: string, name: string): Promise<DatasetStatus> {
    return this._post('detach', path, { name });
  }

  /** End what is under way. */
  stop(path: string): Promise<DatasetStatus> {
    return this._post('stop', path);
  }

  private _post(
    what: string,
    path: string,
    body: unknown = {}
  ): Promise<DatasetStatus> {
    return request(
      this.serverSettings,
      `v1/datasets/${what}`,
      { path },
      {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' }
      }
    );
  }
}
