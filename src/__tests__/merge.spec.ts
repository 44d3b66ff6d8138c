// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, screen } from '@testing-library/dom';

import { MergeClient } from '../merge/client';
import { saveBefore, showWritten } from '../merge/documents';
import { commonPairs, compareLines } from '../merge/lines';
import { MergeModel } from '../merge/model';
import { aDetail, aMerge, aMergeFile, aConflict } from './merge.fixtures';
import type { Answers } from './run.fixtures';
import { json, makeClient } from './run.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');

function start(answers: Answers) {
  const { client, asked } = makeClient({
    'v1/merge': { merge: aMerge() },
    'v1/merge/file': aDetail(),
    ...answers
  });
  const model = new MergeModel(new MergeClient(client.serverSettings, 'iris'));
  const posted = () =>
    asked
      .filter(({ init }) => init.method === 'POST')
      .map(({ path, init }) => [path, JSON.parse(String(init.body))]);
  return { model, asked, posted };
}

describe('MergeModel', () => {
  it('shows the merge that is under way and its first file', async () => {
    const { model, asked } = start({});
    await model.load();
    expect(model.merge?.conflicts).toBe(1);
    expect(model.path).toBe('train.py');
    expect(model.detail?.conflicts).toHaveLength(1);
    expect(asked.map(({ query }) => query.get('path'))).toEqual([
      'iris',
      'iris'
    ]);
  });

  it('knows that there is none', async () => {
    const { model } = start({ 'v1/merge': { merge: null } });
    await model.load();
    expect(model.isLoaded).toBe(true);
    expect(model.merge).toBeNull();
    expect(model.detail).toBeNull();
  });

  it('counts what is open as choices are made and undone', async () => {
    let answer = aDetail({
      file: aMergeFile({ state: 'resolved', conflicts: 0 }),
      conflicts: [aConflict({ choice: 'theirs', result: 'x = 3\n' })]
    });
    const { model, posted } = start({
      'v1/merge': {
        merge: aMerge({
          files: [aMergeFile(), aMergeFile({ path: 'b.py', conflicts: 2 })]
        })
      },
      'v1/merge/resolve': () => json(answer)
    });
    await model.load();
    expect(model.merge?.conflicts).toBe(3);
    expect(await model.resolve('c1', 'theirs')).toBe(true);
    expect(model.merge?.conflicts).toBe(2);
    expect(model.detail?.conflicts[0].choice).toBe('theirs');
    answer = aDetail();
    await model.resolve('c1', null);
    expect(model.merge?.conflicts).toBe(3);
    expect(posted()).toEqual([
      [
        'v1/merge/resolve',
        { path: 'train.py', conflict: 'c1', choice: 'theirs', text: null }
      ],
      [
        'v1/merge/resolve',
        { path: 'train.py', conflict: 'c1', choice: null, text: null }
      ]
    ]);
  });

  it('keeps all as it is when the server refuses', async () => {
    const { model } = start({
      'v1/merge/resolve': () => json({ code: 'x', message: 'Not so.' }, 409),
      'v1/merge/finish': () => json({ code: 'stale', message: 'Changed.' }, 409)
    });
    await model.load();
    expect(await model.resolve('c1', 'edited', 'x = 4')).toBe(false);
    expect(model.error?.message).toBe('Not so.');
    expect(await model.finish('')).toBeNull();
    expect(model.error?.message).toBe('Changed.');
    expect(model.merge).not.toBeNull();
    expect(model.isBusy).toBe(false);
  });

  it('goes to the next file that has an open conflict', async () => {
    const { model } = start({
      'v1/merge': {
        merge: aMerge({
          files: [
            aMergeFile({ path: 'a' }),
            aMergeFile({ path: 'b', state: 'merged', conflicts: 0 }),
            aMergeFile({ path: 'c' })
          ]
        })
      }
    });
    await model.load();
    expect(await model.chooseOpen(true)).toBe(true);
    expect(model.path).toBe('c');
    await model.chooseOpen(true);
    expect(model.path).toBe('a');
    await model.chooseOpen(false);
    expect(model.path).toBe('c');
  });

  it('ends with what the merge brought', async () => {
    const { model, posted } = start({
      'v1/merge/finish': {
        commit: 'd',
        written: ['train.py'],
        message: 'Done.'
      }
    });
    await model.load();
    const result = await model.finish('both of us');
    expect(result?.written).toEqual(['train.py']);
    expect(model.merge).toBeNull();
    expect(model.result?.message).toBe('Done.');
    expect(posted()).toEqual([
      ['v1/merge/finish', { description: 'both of us' }]
    ]);
  });
});

describe('documents', () => {
  afterEach(() => {
    Notification.dismiss();
    Dialog.flush();
  });

  const aDocument = (path: string, dirty: boolean) =>
    ({
      path,
      model: { dirty },
      save: jest.fn(async () => undefined),
      revert: jest.fn(async () => undefined)
    }) as any;

  const press = async (name: string): Promise<string> => {
    const button = await screen.findByRole('button', { name, hidden: true });
    const text = button.closest('.jp-Dialog-content')?.textContent ?? '';
    fireEvent.click(button);
    return text;
  };

  it('that are not saved are named and saved before a merge', async () => {
    const one = aDocument('iris/a.ipynb', true);
    const done = saveBefore([one], trans);
    expect(await press('Save and Merge')).toContain('a.ipynb');
    expect(await done).toBe(true);
    expect(one.save).toHaveBeenCalled();
  });

  it('that are not saved keep a merge from beginning', async () => {
    const one = aDocument('iris/a.ipynb', true);
    const done = saveBefore([one], trans);
    await press('Cancel');
    expect(await done).toBe(false);
    expect(one.save).not.toHaveBeenCalled();
    one.save.mockRejectedValue(new Error('disk full'));
    const again = saveBefore([one], trans);
    await press('Save and Merge');
    expect(await again).toBe(false);
  });

  it('show what was written, unless something was typed in them', async () => {
    const clean = aDocument('a', false);
    const dirty = aDocument('b', true);
    const gone = aDocument('c', false);
    gone.revert.mockRejectedValue(new Error('no such file'));
    const read = jest.fn();
    expect(await showWritten([clean, dirty, gone], read)).toEqual([dirty]);
    expect(clean.revert).toHaveBeenCalled();
    expect(dirty.revert).not.toHaveBeenCalled();
    expect(read).not.toHaveBeenCalled();
  });

  it('that people share are given what was written, not read from the file', async () => {
    const shared = aDocument('iris/a.py', false);
    const gone = aDocument('iris/b.py', false);
    for (const { model } of [shared, gone]) {
      model.collaborative = true;
      model.fromString = jest.fn();
    }
    await showWritten([shared, gone], async context =>
      context === shared ? ({ type: 'file', content: 'merged' } as any) : null
    );
    expect(shared.model.fromString).toHaveBeenCalledWith('merged');
    expect(shared.save).toHaveBeenCalled();
    expect(shared.revert).not.toHaveBeenCalled();
    expect(gone.model.fromString).not.toHaveBeenCalled();
    expect(gone.save).not.toHaveBeenCalled();
  });
});

describe('compareLines', () => {
  const changes = (old: string, newer: string) =>
    compareLines(old, newer).rows.map(row => [row.change, row.old, row.new]);

  it('finds what is the same and pairs what is not', () => {
    expect(changes('a\nb\nc\n', 'a\nB\nc\nd\n')).toEqual([
      ['same', 'a', 'a'],
      ['modified', 'b', 'B'],
      ['same', 'c', 'c'],
      ['added', null, 'd']
    ]);
    expect(changes('', 'a')).toEqual([['added', null, 'a']]);
    expect(changes('a\nb', 'b')).toEqual([
      ['removed', 'a', null],
      ['same', 'b', 'b']
    ]);
    expect(changes('', '')).toEqual([]);
  });

  it('marks the words that differ', () => {
    const [row] = compareLines('plot(a, 3)', 'plot(b, 31)').rows;
    expect(row.old_spans.map(([s, e]) => 'plot(a, 3)'.slice(s, e))).toEqual([
      'a',
      '3'
    ]);
    expect(row.new_spans.map(([s, e]) => 'plot(b, 31)'.slice(s, e))).toEqual([
      'b',
      '31'
    ]);
  });

  it('numbers lines and does not take too long', () => {
    const long = (word: string) =>
      Array.from({ length: 5000 }, (_, n) => `${word} ${n}`).join('\n');
    const start = performance.now();
    const { rows } = compareLines(`x\n${long('a')}\n`, `x\n${long('b')}\n`);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(rows).toHaveLength(5001);
    expect(rows[5000]).toMatchObject({ old_line: 5001, new_line: 5001 });
  });

  it('finds the longest that lists have in common', () => {
    expect(commonPairs([...'abcabba'], [...'cbabac'])).toHaveLength(4);
  });
});
