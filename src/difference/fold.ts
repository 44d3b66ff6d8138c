// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TextRow } from '../api/schema';

/** How many unchanged lines are shown around what differs. */
export const CONTEXT = 3;

/** How many of them can be had at once. */
export const MOST_CONTEXT = 1000;

/**
 * Fold unchanged lines away that a person has not asked for.
 *
 * @param rows - Rows that may hold more unchanged lines than wanted
 * @param opened - Places that stay open, as {@link foldPlace} names them
 * @param context - How many unchanged lines stay beside what differs
 */
export function foldRows(
  rows: readonly TextRow[],
  opened: ReadonlySet<string>,
  context: number = CONTEXT
): TextRow[] {
  const result: TextRow[] = [];
  let start = 0;
  while (start < rows.length) {
    if (!isQuiet(rows[start])) {
      result.push(rows[start]);
      start += 1;
      continue;
    }
    let end = start;
    while (end < rows.length && isQuiet(rows[end])) {
      end += 1;
    }
    const before = start === 0 ? 0 : context;
    const after = end === rows.length ? 0 : context;
    addQuiet(rows.slice(start, end), before, after, opened, result);
    start = end;
  }
  return result;
}

/**
 * The name of the place of a fold: it stays the same when more lines around it are known.
 */
export function foldPlace(row: TextRow): string {
  return `${row.old_line ?? ''}:${row.new_line ?? ''}`;
}

function isQuiet(row: TextRow): boolean {
  return row.change === 'same' || row.change === 'folded';
}

function addQuiet(
  rows: TextRow[],
  before: number,
  after: number,
  opened: ReadonlySet<string>,
  result: TextRow[]
): void {
  // rows at either edge that may stay; a fold of the server's ends them
  let first = 0;
  while (first < before && rows[first]?.change === 'same') {
    first += 1;
  }
  let last = rows.length;
  while (
    rows.length - last < after &&
    last > first &&
    rows[last - 1].change === 'same'
  ) {
    last -= 1;
  }
  const middle = rows.slice(first, last);
  result.push(...rows.slice(0, first));
  if (middle.length > 0) {
    const fold: TextRow = {
      ...middle[0],
      change: 'folded',
      old: null,
      new: null,
      old_spans: [],
      new_spans: [],
      count: middle.reduce((sum, row) => sum + row.count, 0)
    };
    // a fold of one line takes as much room as the line
    const isLine = middle.length === 1 && middle[0].change === 'same';
    if (isLine || opened.has(foldPlace(fold))) {
      result.push(...middle);
    } else {
      result.push(fold);
    }
  }
  result.push(...rows.slice(last));
}
