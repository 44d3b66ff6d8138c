// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TextComparison, TextRow } from '../api/schema';

/** How many pairs of lines or words are looked at; more take too long in a page. */
const MOST_PAIRS = 2_000_000;

/**
 * How two short texts differ, line by line and within lines, without asking the server.
 *
 * #### Notes
 * The longest common subsequence of the lines (Hunt and Szymanski's problem, solved by the plain
 * table), after what is common at both ends was taken off. Texts for which the table would be too
 * large count as different between those ends.
 */
export function compareLines(old: string, newer: string): TextComparison {
  const a = linesOf(old);
  const b = linesOf(newer);
  const rows: TextRow[] = [];
  let added = 0;
  let removed = 0;
  let i = 0;
  let j = 0;
  for (const [x, y] of [...commonPairs(a, b), [a.length, b.length]]) {
    while (i < x || j < y) {
      if (i < x && j < y) {
        rows.push(modified(a[i], b[j], i, j));
      } else if (i < x) {
        rows.push(row('removed', a[i], null, i, null));
      } else {
        rows.push(row('added', null, b[j], null, j));
      }
      removed += i < x ? 1 : 0;
      added += j < y ? 1 : 0;
      i = Math.min(i + 1, x);
      j = Math.min(j + 1, y);
    }
    if (x < a.length) {
      rows.push(row('same', a[x], b[y], x, y));
      i = x + 1;
      j = y + 1;
    }
  }
  return { rows, added, removed, truncated: false };
}

/**
 * The indices of what two lists have in common, in order.
 */
export function commonPairs(
  a: readonly string[],
  b: readonly string[]
): [number, number][] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) {
    start += 1;
  }
  let tail = 0;
  while (
    tail < Math.min(a.length, b.length) - start &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    tail += 1;
  }
  const pairs: [number, number][] = [];
  for (let at = 0; at < start; at++) {
    pairs.push([at, at]);
  }
  const inner = innerPairs(
    a.slice(start, a.length - tail),
    b.slice(start, b.length - tail)
  );
  for (const [x, y] of inner) {
    pairs.push([x + start, y + start]);
  }
  for (let at = tail; at > 0; at--) {
    pairs.push([a.length - at, b.length - at]);
  }
  return pairs;
}

function innerPairs(a: string[], b: string[]): [number, number][] {
  if (a.length * b.length > MOST_PAIRS) {
    return [];
  }
  const width = b.length + 1;
  // how much the ends from each place on have in common
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * width + j] =
        a[i] === b[j]
          ? length[(i + 1) * width + j + 1] + 1
          : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const pairs: [number, number][] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      pairs.push([i++, j++]);
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
      i += 1;
    } else {
      j += 1;
    }
  }
  return pairs;
}

function modified(old: string, newer: string, i: number, j: number): TextRow {
  const a = wordsOf(old);
  const b = wordsOf(newer);
  const pairs = commonPairs(a, b);
  return {
    ...row('modified', old, newer, i, j),
    old_spans: spansOf(
      a,
      pairs.map(([x]) => x)
    ),
    new_spans: spansOf(
      b,
      pairs.map(([, y]) => y)
    )
  };
}

/**
 * Where words are that are not among the common ones, in UTF-16 units.
 */
function spansOf(words: string[], common: number[]): number[][] {
  const known = new Set(common);
  const spans: number[][] = [];
  let at = 0;
  words.forEach((word, index) => {
    const end = at + word.length;
    if (!known.has(index)) {
      const last = spans[spans.length - 1];
      if (last && last[1] === at) {
        last[1] = end;
      } else {
        spans.push([at, end]);
      }
    }
    at = end;
  });
  return spans;
}

function row(
  change: TextRow['change'],
  old: string | null,
  newer: string | null,
  i: number | null,
  j: number | null
): TextRow {
  return {
    change,
    old,
    new: newer,
    old_line: i === null ? null : i + 1,
    new_line: j === null ? null : j + 1,
    old_spans: [],
    new_spans: [],
    count: 1
  };
}

function linesOf(text: string): string[] {
  if (text === '') {
    return [];
  }
  const lines = text.split('\n');
  if (lines[lines.length - 1] === '') {
    lines.pop();
  }
  return lines;
}

function wordsOf(line: string): string[] {
  return line.match(/\w+|\s+|[^\w\s]/gu) ?? [];
}
