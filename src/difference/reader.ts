// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';

import type { ApiClient } from '../api/client';
import { ApiError } from '../api/client';
import type { Workspace } from '../api/schema';
import { toApiError } from '../request';
import type { IWorkspaceTracker } from '../tokens';

/** The name of the live folder among moments. */
export const NOW = 'now';

/**
 * The contents path of a file of a workspace; null where this server does not serve it.
 *
 * @param file - The file's path in the workspace
 */
export function contentsPath(
  workspace: Pick<Workspace, 'path' | 'prefix'>,
  file: string
): string | null {
  const { path, prefix } = workspace;
  if (prefix === '') {
    return PathExt.join(path, file);
  }
  return file.startsWith(`${prefix}/`) ? file.slice(prefix.length + 1) : null;
}

/**
 * The workspace that holds a path, as far as paths in it need it.
 */
export async function workspaceFor(
  path: string,
  tracker: IWorkspaceTracker
): Promise<Pick<Workspace, 'path' | 'prefix'>> {
  if (tracker.workspace?.path === path) {
    return tracker.workspace;
  }
  try {
    const { workspace } = await tracker.client.workspace(path);
    return workspace ?? { path, prefix: '' };
  } catch {
    // what is asked of the workspace says itself what is wrong
    return { path, prefix: '' };
  }
}

/**
 * Reads files as they were at a moment, or as they are now.
 */
export class FileReader {
  /**
   * Create a reader.
   *
   * @param client - The API
   * @param contents - The files as they are now
   * @param workspace - The workspace
   */
  constructor(
    private readonly _client: ApiClient,
    private readonly _contents: Contents.IManager,
    private readonly _workspace: Pick<Workspace, 'path' | 'prefix'>
  ) {}

  /**
   * The bytes of a file.
   *
   * @param ref - A commit, or now
   * @param file - Its path in the workspace
   */
  async read(ref: string, file: string, signal?: AbortSignal): Promise<Blob> {
    if (ref !== NOW) {
      const response = await this._client.readFile(
        this._workspace.path,
        ref,
        file,
        { signal }
      );
      return response.blob();
    }
    const path = contentsPath(this._workspace, file);
    if (path === null) {
      throw new ApiError(404, 'not_served', file);
    }
    const settings = this._client.serverSettings;
    const response = await ServerConnection.makeRequest(
      await this._contents.getDownloadUrl(path),
      { signal },
      settings
    );
    if (!response.ok) {
      throw await toApiError(response);
    }
    return response.blob();
  }

  /**
   * The sources of the cells of a notebook.
   *
   * @param ref - A commit, or now
   * @param file - Its path in the workspace
   */
  async sources(ref: string, file: string): Promise<string[]> {
    const blob = await this.read(ref, file);
    const notebook = JSON.parse(await blob.text()) as {
      cells?: { source?: string | string[] }[];
    };
    return (notebook.cells ?? []).map(({ source }) =>
      Array.isArray(source) ? source.join('') : String(source ?? '')
    );
  }
}
