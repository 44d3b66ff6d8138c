// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  Conflict,
  Merge,
  MergeCell,
  MergeDetail,
  MergeFile
} from '../api/schema';
import { aSide } from './difference.fixtures';

/** A file of a merge. */
export function aMergeFile(fields: Partial<MergeFile> = {}): MergeFile {
  return {
    path: 'train.py',
    type: 'text',
    state: 'conflict',
    change: 'modified',
    conflicts: 1,
    message: 'changed by both',
    ...fields
  };
}

/** A merge that is under way. */
export function aMerge(fields: Partial<Merge> = {}): Merge {
  const files = fields.files ?? [aMergeFile()];
  return {
    id: 'm1',
    base: aSide({ label: 'the base' }),
    yours: aSide({ ref: 'b'.repeat(64), label: 'my work' }),
    theirs: aSide({ ref: 'c'.repeat(64), label: 'their work' }),
    files,
    conflicts: files.reduce((sum, file) => sum + file.conflicts, 0),
    stale: false,
    markers: false,
    ...fields
  };
}

/** A place where both sides changed something. */
export function aConflict(fields: Partial<Conflict> = {}): Conflict {
  return {
    id: 'c1',
    where: 'lines 3 to 4',
    base: 'x = 1\n',
    yours: 'x = 2\n',
    theirs: 'x = 3\n',
    result: null,
    choice: null,
    choices: ['yours', 'theirs', 'both', 'edited'],
    ...fields
  };
}

/** How a file is merged. */
export function aDetail(fields: Partial<MergeDetail> = {}): MergeDetail {
  return {
    file: aMergeFile(),
    conflicts: [aConflict()],
    cells: [],
    segments: [
      { state: 'same', conflict: null, text: 'import os\n' },
      { state: 'conflict', conflict: 'c1', text: null },
      { state: 'theirs', conflict: null, text: 'print(x)\n' }
    ],
    language: '',
    ...fields
  };
}

/** A cell of a notebook in which both sides changed something. */
export function aMergeCell(fields: Partial<MergeCell> = {}): MergeCell {
  return {
    state: 'conflict',
    conflict: 'c1',
    base: null,
    yours: { cell_type: 'code', source: 'x = 2\n' },
    theirs: { cell_type: 'code', source: 'x = 3\n' },
    result: null,
    count: 1,
    outputs: [],
    cleared: false,
    ...fields
  };
}
