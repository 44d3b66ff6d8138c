// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import { encodeName } from '../api/client';
import type {
  BringBackResult,
  FileHistory,
  ScratchCopyResult
} from '../api/schema';
import { request } from '../request';

/**
 * Asks the server for the versions of files, and has it bring one back.
 *
 * Every `path` is a contents path and chooses the workspace; files are named by their path in it.
 */
export class HistoryClient {
  /**
   * Create a client.
   *
   * @param serverSettings - The application's own settings
   */
  constructor(readonly serverSettings: ServerConnection.ISettings) {}

  /** A page of the versions of a file, newest first. */
  versions(
    path: string,
    file: string,
    page: { offset?: number; limit?: number } = {}
  ): Promise<FileHistory> {
    return request(this.serverSettings, 'v1/history', { path, file, ...page });
  }

  /**
   * Put a file of a commit in the place of the present one.
   *
   * @param commit - The commit's id
   * @param file - The file's path in the commit
   * @param to - Contents path of where it goes
   * @param expected - Digest of what is there now; null where there is nothing
   */
  bringBack(
    path: string,
    commit: string,
    file: string,
    to: string,
    expected: string | null
  ): Promise<BringBackResult> {
    return this._post(`v1/commits/${encodeName(commit)}/bring-back`, path, {
      path: file,
      to,
      expected
    });
  }

  /** Copy a file of a commit beside the present one, under a new name. */
  scratchCopy(
    path: string,
    commit: string,
    file: string
  ): Promise<ScratchCopyResult> {
    return this._post(`v1/commits/${encodeName(commit)}/scratch-copy`, path, {
      path: file
    });
  }

  private _post<T>(endpoint: string, path: string, body: unknown): Promise<T> {
    return request(
      this.serverSettings,
      endpoint,
      { path },
      {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' }
      }
    );
  }
}
