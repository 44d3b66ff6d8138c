// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The name of the drive on which commits are read.
 */
export const DRIVE_NAME = 'dotscience';

/**
 * What a path on the drive stands for.
 */
export interface IFrozenPath {
  /**
   * The contents path of the workspace.
   */
  workspace: string;

  /**
   * The id of the commit.
   */
  commit: string;

  /**
   * The path in the commit, in text form; empty for its root.
   */
  path: string;
}

/**
 * Write a workspace's contents path as one segment of a path.
 *
 * #### Notes
 * `/`, `:` and `~` become `~-`, `~.` and `~~`, the server's root becomes `~`. Percent signs
 * are avoided because paths are URL-encoded and decoded on their way through addresses and links.
 */
export function encodeWorkspace(workspace: string): string {
  if (workspace === '') {
    return '~';
  }
  return workspace
    .replace(/~/g, '~~')
    .replace(/\//g, '~-')
    .replace(/:/g, '~.')
    .replace(/^\.+$/, dots => '~,'.repeat(dots.length));
}

/**
 * Read a segment back; the inverse of {@link encodeWorkspace}.
 */
export function decodeWorkspace(segment: string): string {
  if (segment === '~') {
    return '';
  }
  const plain: { [escape: string]: string } = {
    '~~': '~',
    '~-': '/',
    '~.': ':',
    '~,': '.'
  };
  return segment.replace(/~[~\-.,]/g, escape => plain[escape]);
}

/**
 * Write the path on the drive of a file in a commit, without the drive's name.
 */
export function toLocalPath(frozen: IFrozenPath): string {
  const head = `${encodeWorkspace(frozen.workspace)}/${frozen.commit}`;
  return frozen.path ? `${head}/${frozen.path}` : head;
}

/**
 * Write the full contents path of a file in a commit.
 */
export function toDrivePath(frozen: IFrozenPath): string {
  return `${DRIVE_NAME}:${toLocalPath(frozen)}`;
}

/**
 * Read a path on the drive, without the drive's name.
 *
 * @returns What it stands for; parts that it does not reach are empty.
 */
export function parseLocalPath(localPath: string): IFrozenPath {
  const [workspace, commit, ...rest] = localPath
    .replace(/^\/+|\/+$/g, '')
    .split('/');
  return {
    workspace: workspace ? decodeWorkspace(workspace) : '',
    commit: commit ?? '',
    path: rest.join('/')
  };
}

/**
 * Read a full contents path.
 *
 * @returns What it stands for, or null where it is not a file or folder of a commit.
 */
export function parseDrivePath(path: string): IFrozenPath | null {
  const prefix = `${DRIVE_NAME}:`;
  if (!path.startsWith(prefix)) {
    return null;
  }
  const frozen = parseLocalPath(path.slice(prefix.length));
  return frozen.commit ? frozen : null;
}
