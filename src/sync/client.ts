// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import type {
  ConnectHub,
  HubLogin,
  HubLogins,
  HubProject,
  HubProjects,
  LogIn,
  NewestCommit,
  NewestCommits,
  ProjectClone,
  ProjectClones,
  SyncResult,
  SyncStatus
} from '../api/schema';
import { request } from '../request';

/**
 * Asks the server about hubs, and has it move commits.
 *
 * Every `path` is a contents path and chooses the workspace.
 */
export class SyncClient {
  /**
   * Create a client.
   *
   * @param serverSettings - The application's own settings
   */
  constructor(readonly serverSettings: ServerConnection.ISettings) {}

  /** How a workspace and its hub stand; the hub is not asked. */
  status(path: string): Promise<SyncStatus> {
    return request(this.serverSettings, 'v1/sync', { path });
  }

  /** The hubs on which the user is logged in. */
  async hubs(): Promise<HubLogin[]> {
    const answer = await request<HubLogins>(
      this.serverSettings,
      'v1/sync/hubs'
    );
    return answer.items;
  }

  /** Log in on a hub, with a password or with an API key. */
  logIn(wanted: Partial<LogIn> & { url: string }): Promise<HubLogin> {
    return this._post('login', {}, wanted);
  }

  /** Forget who the user is on a hub. */
  logOut(url: string): Promise<HubLogins> {
    return this._post('logout', {}, { url });
  }

  /** The projects of a hub that the user may see, their own first. */
  projects(url: string): Promise<HubProjects> {
    return request(this.serverSettings, 'v1/sync/projects', { url });
  }

  /** The projects and the datasets of a hub that the user may see, their own first. */
  async everything(url: string): Promise<HubProject[]> {
    const answer = await request<HubProjects>(
      this.serverSettings,
      'v1/sync/projects',
      { url, datasets: true }
    );
    return answer.items;
  }

  /** The newest commits of some projects of a hub; some may be left out. */
  async newest(
    url: string,
    projects: readonly string[]
  ): Promise<NewestCommit[]> {
    const answer = await request<NewestCommits>(
      this.serverSettings,
      'v1/sync/projects/newest',
      { url, projects: projects.join(',') }
    );
    return answer.items;
  }

  /** What is being cloned, and what was. */
  async clones(): Promise<ProjectClone[]> {
    const answer = await request<ProjectClones>(
      this.serverSettings,
      'v1/sync/clones'
    );
    return answer.items;
  }

  /** Begin to clone a project into a new folder; events tell how far it is. */
  clone(address: string, folder: string): Promise<ProjectClone> {
    return this._post('clones', {}, { address, folder });
  }

  /** Stop a clone that is under way, or forget one that has ended; returns what is left. */
  async endClone(id: string): Promise<ProjectClone[]> {
    const answer = await this._post<ProjectClones>('clones/end', {}, { id });
    return answer.items;
  }

  /** Let a workspace belong to a project, by its id, or by the name of a new one. */
  connect(
    path: string,
    wanted: Partial<ConnectHub> & { url: string }
  ): Promise<SyncStatus> {
    return this._post('remote', { path }, wanted);
  }

  /** Let a workspace belong to no hub. */
  disconnect(path: string): Promise<SyncStatus> {
    return this._post('disconnect', { path });
  }

  /** Send the hub every commit that it does not have. */
  push(path: string): Promise<SyncResult> {
    return this._post('push', { path });
  }

  /** Begin to take the hub's new commits; the status tells when that has ended. */
  fetch(path: string): Promise<SyncStatus> {
    return this._post('fetch', { path });
  }

  /** Begin to take the hub's new commits and their files, as `fetch`. */
  pull(path: string): Promise<SyncStatus> {
    return this._post('pull', { path });
  }

  private _post<T>(
    what: string,
    query: Record<string, string>,
    body: unknown = {}
  ): Promise<T> {
    return request(this.serverSettings, `v1/sync/${what}`, query, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' }
    });
  }
}
