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
 *
 * @param created - When the commit was made, for folders that people see
 *
 * #### Notes
 * The path of a document has no time in it: however it was come upon, it is the same document.
 */
export function toLocalPath(frozen: IFrozenPath, created?: string): string {
  const commit = created
    ? `${localMinute(created).replace(':', '.')} ${frozen.commit}`
    : frozen.commit;
  const head = `${encodeWorkspace(frozen.workspace)}/${commit}`;
  return frozen.path ? `${head}/${frozen.path}` : head;
}

/**
 * Write a moment as year, month, day, hour and minute where the user is, which sorts by itself.
 */
export function localMinute(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) {
    return iso;
  }
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [
    String(time.getFullYear()).padStart(4, '0'),
    two(time.getMonth() + 1),
    two(time.getDate())
  ].join('-');
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/**
 * Some of the commits of a workspace, counted from its first one, which is 1.
 */
export interface IRange {
  /** The first of them. */
  first: number;

  /** The last of them. */
  last: number;
}

/**
 * Write the segment under which older commits are listed.
 */
export function rangeSegment({ first, last }: IRange): string {
  return `~${first}-${last}`;
}

/**
 * Read the segment under which older commits are listed; null where it is none.
 */
export function parseRange(segment: string): IRange | null {
  const match = segment.match(/^~([1-9]\d{0,8})-([1-9]\d{0,8})$/);
  if (!match) {
    return null;
  }
  const range = { first: Number(match[1]), last: Number(match[2]) };
  return range.first <= range.last ? range : null;
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
    commit: !commit || parseRange(commit) ? '' : withoutTime(commit),
    path: rest.join('/')
  };
}

/**
 * The id of a commit, without the time that stands before it in folders that people see.
 */
function withoutTime(segment: string): string {
  return segment.match(/ ([0-9a-f]{64})$/)?.[1] ?? segment;
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
