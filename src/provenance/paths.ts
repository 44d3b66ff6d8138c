// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Workspace } from '../api/schema';
import { isInside } from '../model';

type Place = Pick<Workspace, 'path' | 'prefix'>;

/**
 * The path of a file in its workspace, in text form.
 *
 * @param workspace - The workspace
 * @param contents - Contents path of a file in it
 * @returns The path, or null where the file is not in the workspace
 *
 * #### Notes
 * In text form a backslash is written twice; where a name cannot be told in a contents path at
 * all, its text form stands there already.
 */
export function toFolderPath(
  workspace: Place,
  contents: string
): string | null {
  if (!isInside(contents, workspace.path)) {
    return null;
  }
  const below = contents
    .slice(workspace.path.length)
    .replace(/^\/+/, '')
    .replace(/\\(?!x[89a-f][0-9a-f])/g, '\\\\');
  return workspace.prefix && below
    ? `${workspace.prefix}/${below}`
    : workspace.prefix || below;
}

/**
 * The contents path of a file of a workspace; the inverse of {@link toFolderPath}.
 *
 * @returns The path, or null where this server does not serve the file
 */
export function toContentsPath(workspace: Place, path: string): string | null {
  const { prefix } = workspace;
  if (!isInside(path, prefix)) {
    return null;
  }
  const below = path
    .slice(prefix.length)
    .replace(/^\/+/, '')
    .replace(/\\\\/g, '\\');
  return workspace.path ? `${workspace.path}/${below}` : below;
}
