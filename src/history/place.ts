// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Contents } from '@jupyterlab/services';

import type { Workspace } from '../api/schema';
import { parseDrivePath } from '../drive/paths';
import { serverPath } from '../follow';
import { toContentsPath, toFolderPath } from '../provenance/paths';
import type { IWorkspaceTracker } from '../tokens';

/**
 * Where a file is: in which workspace, and how it is called there.
 */
export interface IPlace {
  /** The workspace. */
  workspace: Pick<Workspace, 'path' | 'prefix'>;

  /** The file's path in the workspace. */
  file: string;

  /** The file's contents path on the server. */
  contentsPath: string;
}

/**
 * Find the workspace of a file.
 *
 * @param path - Contents path of a file of the server, or of a commit on our drive
 * @returns Where it is, or null where it is in no workspace
 */
export async function placeOf(
  path: string,
  contents: Contents.IManager,
  tracker: IWorkspaceTracker
): Promise<IPlace | null> {
  const frozen = parseDrivePath(path);
  const where = frozen ? frozen.workspace : serverPath(contents, path);
  if (where === null) {
    return null;
  }
  const { workspace } = await tracker.client.workspace(where);
  if (!workspace) {
    return null;
  }
  if (frozen) {
    const contentsPath = toContentsPath(workspace, frozen.path);
    return contentsPath === null
      ? null
      : { workspace, file: frozen.path, contentsPath };
  }
  const file = toFolderPath(workspace, where);
  return file ? { workspace, file, contentsPath: where } : null;
}
