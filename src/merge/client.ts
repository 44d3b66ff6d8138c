// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import type {
  Merge,
  MergeAnswer,
  MergeDetail,
  MergeResult,
  Resolve
} from '../api/schema';
import { request } from '../request';

/**
 * Asks the server about the merge of a workspace, and tells it what to do.
 */
export class MergeClient {
  /**
   * Create a client.
   *
   * @param serverSettings - The application's own settings
   * @param workspace - Contents path of the workspace
   */
  constructor(
    readonly serverSettings: ServerConnection.ISettings,
    readonly workspace: string
  ) {}

  /** The merge that is under way, if one is. */
  async current(): Promise<Merge | null> {
    const answer = await request<MergeAnswer>(this.serverSettings, 'v1/merge', {
      path: this.workspace
    });
    return answer.merge;
  }

  /**
   * Begin to take another commit's changes in; nothing is written to the workspace yet.
   *
   * @param theirs - A commit, or `run:ID`
   */
  start(theirs: string): Promise<Merge> {
    return this._post('v1/merge', { theirs, base: '' });
  }

  /** How one file is merged. */
  file(file: string): Promise<MergeDetail> {
    return request(this.serverSettings, 'v1/merge/file', {
      path: this.workspace,
      file
    });
  }

  /** Choose what becomes of a conflict, or of all of a file. */
  resolve(what: Resolve): Promise<MergeDetail> {
    return this._post('v1/merge/resolve', what);
  }

  /** Write the result and commit it. */
  finish(description: string): Promise<MergeResult> {
    return this._post('v1/merge/finish', { description });
  }

  /** Give the merge up. */
  abort(): Promise<MergeResult> {
    return this._post('v1/merge/abort', {});
  }

  private _post<T>(endpoint: string, body: unknown): Promise<T> {
    return request(
      this.serverSettings,
      endpoint,
      { path: this.workspace },
      {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' }
      }
    );
  }
}
