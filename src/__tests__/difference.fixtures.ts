// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  CellPair,
  ComparedFile,
  Comparison,
  FileComparison,
  Side,
  TextComparison,
  TextRow
} from '../api/schema';

/** A moment. */
export function aSide(fields: Partial<Side> = {}): Side {
  return {
    ref: 'a'.repeat(64),
    run: null,
    label: 'first',
    created: '2026-03-04T05:06:07Z',
    ...fields
  };
}

/** A file that differs. */
export function aFile(fields: Partial<ComparedFile> = {}): ComparedFile {
  return {
    path: 'train.py',
    old_path: null,
    change: 'modified',
    type: 'text',
    old_size: 10,
    new_size: 12,
    old_digest: 'd'.repeat(64),
    new_digest: 'e'.repeat(64),
    added: 1,
    removed: 1,
    ...fields
  };
}

/** How two moments differ. */
export function aComparison(
  files: ComparedFile[],
  fields: Partial<Comparison> = {}
): Comparison {
  return {
    old: aSide(),
    new: aSide({ ref: 'now', label: 'Now', created: null }),
    values: [],
    files,
    total: files.length,
    offset: 0,
    ...fields
  };
}

/** A row of text. */
export function aRow(fields: Partial<TextRow> = {}): TextRow {
  return {
    change: 'same',
    old_line: null,
    new_line: null,
    old: null,
    new: null,
    old_spans: [],
    new_spans: [],
    count: 1,
    ...fields
  };
}

/** Lines that did not change. */
export function sameRows(first: number, count: number): TextRow[] {
  return Array.from({ length: count }, (_, index) =>
    aRow({
      old_line: first + index,
      new_line: first + index,
      old: `line ${first + index}`,
      new: `line ${first + index}`
    })
  );
}

/** How two texts differ. */
export function aText(rows: TextRow[]): TextComparison {
  return { rows, added: 1, removed: 1, truncated: false };
}

/** A cell before and after. */
export function aPair(fields: Partial<CellPair> = {}): CellPair {
  return {
    change: 'modified',
    count: 1,
    old_index: 0,
    new_index: 0,
    id: null,
    type: 'code',
    source: null,
    outputs: [],
    metadata: null,
    old_count: null,
    new_count: null,
    ...fields
  };
}

/** How a file differs. */
export function aFileComparison(
  fields: Partial<FileComparison> = {}
): FileComparison {
  return {
    file: aFile(),
    old: aSide(),
    new: aSide({ ref: 'now', label: 'Now', created: null }),
    notebook: null,
    text: null,
    table: null,
    note: '',
    took: 0.01,
    ...fields
  };
}
