// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { CONTEXT, foldPlace, foldRows } from '../difference/fold';
import { unifiedRows } from '../difference/rows';
import { filterFiles, flatRows, treeRows } from '../difference/tree';
import { aFile, aRow, sameRows } from './difference.fixtures';

const changed = aRow({ change: 'modified', old_line: 21, new_line: 21 });
const rows = [...sameRows(1, 20), changed, ...sameRows(22, 30)];

describe('foldRows', () => {
  it('keeps a few lines beside what differs', () => {
    const folded = foldRows(rows, new Set());
    expect(folded.map(({ change }) => change)).toEqual([
      'folded',
      'same',
      'same',
      'same',
      'modified',
      'same',
      'same',
      'same',
      'folded'
    ]);
    expect(folded[0].count).toBe(20 - CONTEXT);
    expect(folded[0].new_line).toBe(1);
    expect(folded[8].count).toBe(30 - CONTEXT);
    expect(folded[8].new_line).toBe(25);
  });

  it('gives what the server folded the same place as what is folded here', () => {
    const server = [
      aRow({ change: 'folded', old_line: 1, new_line: 1, count: 17 }),
      ...sameRows(18, 3),
      changed,
      ...sameRows(22, 3),
      aRow({ change: 'folded', old_line: 25, new_line: 25, count: 27 })
    ];
    const ours = foldRows(rows, new Set());
    expect(foldRows(server, new Set())).toEqual(ours);
    const place = foldPlace(ours[8]);
    const opened = foldRows(rows, new Set([place]));
    expect(opened).toHaveLength(8 + 27);
    expect(opened[opened.length - 1].old).toBe('line 51');
    // what the server left out stays folded, whatever was opened
    expect(foldRows(server, new Set([place]))[8].count).toBe(27);
  });

  it('does not fold a single line', () => {
    const few = [changed, ...sameRows(22, 7), changed];
    expect(foldRows(few, new Set())).toEqual(few);
    const more = [changed, ...sameRows(22, 8), changed];
    expect(foldRows(more, new Set())[4]).toMatchObject({
      change: 'folded',
      count: 2
    });
  });
});

describe('unifiedRows', () => {
  it('puts what was removed above what was added', () => {
    const two = [
      aRow({ change: 'modified', old: 'a', new: 'b', old_spans: [[0, 1]] }),
      aRow({ change: 'modified', old: 'c', new: 'd', new_spans: [[0, 1]] }),
      ...sameRows(3, 1)
    ];
    const unified = unifiedRows(two);
    expect(unified.map(row => [row.change, row.old, row.new])).toEqual([
      ['removed', 'a', null],
      ['removed', 'c', null],
      ['added', null, 'b'],
      ['added', null, 'd'],
      ['same', 'line 3', 'line 3']
    ]);
    expect(unified[0].old_spans).toEqual([[0, 1]]);
    expect(unified[2].old_spans).toEqual([]);
    expect(unified[3].new_spans).toEqual([[0, 1]]);
  });
});

describe('files', () => {
  const files = [
    aFile({ path: 'a.py' }),
    aFile({ path: 'data/raw/deep/x.csv' }),
    aFile({ path: 'data/y.csv', old_path: 'data/before.csv' }),
    aFile({ path: 'lib/only/z.py' })
  ];

  it('are shown in their folders, folders first', () => {
    const shown = treeRows(files, new Set()).map(row => [
      row.level,
      row.name,
      row.count
    ]);
    expect(shown).toEqual([
      [1, 'data', 2],
      [2, 'raw/deep', 1],
      [3, 'x.csv', 1],
      [2, 'y.csv', 1],
      [1, 'lib/only', 1],
      [2, 'z.py', 1],
      [1, 'a.py', 1]
    ]);
  });

  it('of closed folders are not shown', () => {
    const shown = treeRows(files, new Set(['data']));
    expect(shown.map(({ path }) => path)).toEqual([
      'data',
      'lib/only',
      'lib/only/z.py',
      'a.py'
    ]);
    expect(shown[0].isOpen).toBe(false);
  });

  it('are found by words of their path, also the earlier one', () => {
    const found = (text: string) =>
      filterFiles(files, text).map(({ path }) => path);
    expect(found('CSV data')).toEqual(['data/raw/deep/x.csv', 'data/y.csv']);
    expect(found('before')).toEqual(['data/y.csv']);
    expect(found('  ')).toHaveLength(4);
    expect(flatRows(files).map(({ name }) => name)).toEqual(
      files.map(({ path }) => path)
    );
  });

  it('are laid out fast, however many', () => {
    const many = Array.from({ length: 50_000 }, (_, n) =>
      aFile({ path: `part-${n % 500}/sub-${n % 7}/file-${n}.txt` })
    );
    const start = performance.now();
    expect(treeRows(many, new Set())).toHaveLength(50_000 + 500 + 3500);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
