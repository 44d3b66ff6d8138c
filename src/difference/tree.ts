// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ComparedFile } from '../api/schema';

/**
 * A row of a list of files: a folder, or a file.
 */
export interface IFileRow {
  /** The path of the folder or file. */
  readonly path: string;

  /** What is shown. */
  readonly name: string;

  /** How deep it lies, from 1. */
  readonly level: number;

  /** The file; null for a folder. */
  readonly file: ComparedFile | null;

  /** Whether a folder is open. */
  readonly isOpen: boolean;

  /** How many files lie below a folder. */
  readonly count: number;
}

/**
 * The files of which the path, or the earlier path, holds some text.
 *
 * @param text - Words; all must occur, in any order, upper case or lower
 */
export function filterFiles(
  files: readonly ComparedFile[],
  text: string
): readonly ComparedFile[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    return files;
  }
  return files.filter(file => {
    const where = `${file.path}\n${file.old_path ?? ''}`.toLowerCase();
    return words.every(word => where.includes(word));
  });
}

/**
 * The rows of a flat list, which are in the order of the files.
 */
export function flatRows(files: readonly ComparedFile[]): IFileRow[] {
  return files.map(file => ({
    path: file.path,
    name: file.path,
    level: 1,
    file,
    isOpen: false,
    count: 1
  }));
}

interface IFolder {
  path: string;
  name: string;
  folders: Map<string, IFolder>;
  files: ComparedFile[];
  count: number;
}

/**
 * The rows of files in their folders, folders first; linear in the number of files.
 *
 * @param closed - Paths of folders of which nothing is shown
 *
 * #### Notes
 * A folder that holds one folder and nothing else is one row with it.
 */
export function treeRows(
  files: readonly ComparedFile[],
  closed: ReadonlySet<string>
): IFileRow[] {
  const root: IFolder = {
    path: '',
    name: '',
    folders: new Map(),
    files: [],
    count: 0
  };
  for (const file of files) {
    const parts = file.path.split('/');
    let folder = root;
    folder.count += 1;
    for (const name of parts.slice(0, -1)) {
      let next = folder.folders.get(name);
      if (!next) {
        const path = folder.path ? `${folder.path}/${name}` : name;
        next = { path, name, folders: new Map(), files: [], count: 0 };
        folder.folders.set(name, next);
      }
      next.count += 1;
      folder = next;
    }
    folder.files.push(file);
  }
  const rows: IFileRow[] = [];
  addRows(root, 1, closed, rows);
  return rows;
}

function addRows(
  folder: IFolder,
  level: number,
  closed: ReadonlySet<string>,
  rows: IFileRow[]
): void {
  const folders = [...folder.folders.values()].sort(byName);
  for (let next of folders) {
    let name = next.name;
    while (next.files.length === 0 && next.folders.size === 1) {
      next = [...next.folders.values()][0];
      name = `${name}/${next.name}`;
    }
    const isOpen = !closed.has(next.path);
    rows.push({
      path: next.path,
      name,
      level,
      file: null,
      isOpen,
      count: next.count
    });
    if (isOpen) {
      addRows(next, level + 1, closed, rows);
    }
  }
  for (const file of folder.files) {
    const name = file.path.slice(file.path.lastIndexOf('/') + 1);
    rows.push({ path: file.path, name, level, file, isOpen: false, count: 1 });
  }
}

function byName(a: IFolder, b: IFolder): number {
  return a.name < b.name ? -1 : 1;
}
