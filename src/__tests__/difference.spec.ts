// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { waitFor } from '@testing-library/dom';

import { ServerConnection } from '@jupyterlab/services';
import { DifferenceClient } from '../difference/client';
import { MOST_CONTEXT } from '../difference/fold';
import { DifferenceModel } from '../difference/model';
import { DifferenceOptions } from '../difference/options';
import { FileReader, contentsPath } from '../difference/reader';
import { aComparison, aFile, aFileComparison } from './difference.fixtures';
import type { Answers } from './run.fixtures';
import { json, makeClient } from './run.fixtures';

function start(answers: Answers, file?: string) {
  const { client, asked } = makeClient(answers);
  const options = new DifferenceOptions(null);
  const model = new DifferenceModel({
    client: new DifferenceClient(client.serverSettings, 'iris'),
    reader: new FileReader(client, {} as any, { path: 'iris', prefix: '' }),
    options,
    old: 'HEAD',
    newer: 'now',
    file
  });
  return { model, options, asked };
}

const many = (count: number, first = 0) =>
  Array.from({ length: count }, (_, n) => aFile({ path: `f${first + n}.txt` }));

describe('DifferenceModel', () => {
  it('reads the files and shows the first inside', async () => {
    const { model, asked } = start({
      'v1/compare': aComparison([
        aFile({ path: 'a.py' }),
        aFile({ path: 'data/x.csv', old_path: 'x.csv' })
      ]),
      'v1/compare/file': aFileComparison()
    });
    await model.load();
    expect(model.path).toBe('data/x.csv');
    const query = asked[1].query;
    expect(query.get('path')).toBe('iris');
    expect(query.get('old')).toBe('HEAD');
    expect(query.get('new')).toBe('now');
    expect(query.get('old_file')).toBe('x.csv');
    expect(query.get('outputs')).toBe('1');
    expect(query.get('metadata')).toBe('false');
    expect(query.get('context')).toBe('3');
    expect(model.content).not.toBeNull();
    model.dispose();
  });

  it('takes the first file of a folder that was named', async () => {
    const { model } = start(
      {
        'v1/compare': aComparison([
          aFile({ path: 'a.py' }),
          aFile({ path: 'data/x.csv' })
        ]),
        'v1/compare/file': aFileComparison()
      },
      'data'
    );
    await model.load();
    expect(model.path).toBe('data/x.csv');
    model.dispose();
  });

  it('shows the first files at once and reads the others after', async () => {
    let asked = 0;
    const { model } = start({
      'v1/compare': () => {
        asked += 1;
        return asked === 1
          ? json(aComparison(many(1000), { total: 1500 }))
          : json(aComparison(many(500, 1000), { total: 1500, offset: 1000 }));
      },
      'v1/compare/file': aFileComparison()
    });
    await model.load();
    await waitFor(() => expect(model.comparison?.files).toHaveLength(1500));
    expect(asked).toBe(2);
    model.dispose();
  });

  it('asks for more lines only once something is unfolded', async () => {
    const { model, asked } = start({
      'v1/compare': aComparison([aFile()]),
      'v1/compare/file': aFileComparison()
    });
    await model.load();
    await model.unfold('text 1:1');
    await model.unfold('text 9:9');
    const contexts = asked
      .filter(({ path }) => path === 'v1/compare/file')
      .map(({ query }) => query.get('context'));
    expect(contexts).toEqual(['3', String(MOST_CONTEXT)]);
    expect([...model.opened]).toEqual(['text 1:1', 'text 9:9']);
    model.dispose();
  });

  it('compares a notebook again when other parts of it count, and nothing else', async () => {
    const file = aFile({ path: 'a.ipynb', type: 'notebook' });
    const { model, options, asked } = start({
      'v1/compare': aComparison([file]),
      'v1/compare/file': aFileComparison({ file })
    });
    await model.load();
    options.set({ wrap: false });
    options.set({ outputs: false, counts: true });
    await waitFor(() => expect(asked).toHaveLength(3));
    expect(asked[2].query.get('outputs')).toBe('false');
    expect(asked[2].query.get('counts')).toBe('1');
    model.dispose();
  });

  it('keeps what is shown while it looks again, and what was unfolded', async () => {
    const answers: Answers = {
      'v1/compare': aComparison([aFile()]),
      'v1/compare/file': aFileComparison()
    };
    const { model } = start(answers);
    await model.load();
    await model.unfold('text 1:1');
    let gone = 0;
    model.stateChanged.connect(() => {
      gone += model.content === null || model.comparison === null ? 1 : 0;
    });
    await model.refresh();
    expect(gone).toBe(0);
    expect(model.opened.size).toBe(1);
    answers['v1/compare'] = aComparison([]);
    await model.refresh();
    expect(model.path).toBeNull();
    expect(model.content).toBeNull();
    model.dispose();
  });

  it('can be cancelled, and asked again', async () => {
    const answers: Answers = {
      'v1/compare': aComparison([aFile()]),
      'v1/compare/file': () => new Promise<Response>(() => undefined)
    };
    const { model } = start(answers);
    void model.load();
    await waitFor(() => expect(model.isComparing).toBe(true));
    model.cancel();
    expect(model.isComparing).toBe(false);
    expect(model.wasCancelled).toBe(true);
    answers['v1/compare/file'] = aFileComparison();
    await model.compare();
    expect(model.content).not.toBeNull();
    expect(model.wasCancelled).toBe(false);
    model.dispose();
  });

  it('tells the server to stop when it is disposed of or another file is chosen', async () => {
    const signals: (AbortSignal | null | undefined)[] = [];
    const settings = ServerConnection.makeSettings({
      baseUrl: 'http://localhost/',
      fetch: (info: RequestInfo | URL, init?: RequestInit) => {
        const url = (info as Request).url;
        if (url.includes('compare/file')) {
          signals.push((info as Request).signal);
          return new Promise<Response>(() => undefined);
        }
        return Promise.resolve(
          json(aComparison([aFile(), aFile({ path: 'b' })]))
        );
      }
    });
    const model = new DifferenceModel({
      client: new DifferenceClient(settings, 'iris'),
      reader: {} as any,
      options: new DifferenceOptions(null),
      old: 'HEAD',
      newer: 'now'
    });
    void model.load();
    await waitFor(() => expect(signals).toHaveLength(1));
    void model.choose('b');
    await waitFor(() => expect(signals).toHaveLength(2));
    expect(signals[0]?.aborted).toBe(true);
    model.dispose();
    expect(signals[1]?.aborted).toBe(true);
  });

  it('says what went wrong with the files, and with one of them', async () => {
    const { model } = start({
      'v1/compare': () => json({ code: 'x', message: 'No such commit.' }, 404)
    });
    await model.load();
    expect(model.error?.message).toBe('No such commit.');
    const other = start({
      'v1/compare': aComparison([aFile()]),
      'v1/compare/file': () => json({ code: 'x', message: 'Too large.' }, 400)
    });
    await other.model.load();
    expect(other.model.contentError?.message).toBe('Too large.');
  });

  it('takes the earlier name of a renamed file when the moments are swapped', async () => {
    const { model, asked } = start({
      'v1/compare': aComparison([
        aFile({ path: 'b.py', old_path: 'a.py', change: 'renamed' })
      ]),
      'v1/compare/file': aFileComparison()
    });
    await model.load();
    await model.swap();
    expect(model.old).toBe('now');
    expect(model.newer).toBe('HEAD');
    expect(asked[asked.length - 1].query.get('file')).toBe('a.py');
    model.dispose();
  });
});

describe('DifferenceOptions', () => {
  it('are remembered, and what is remembered wrongly is left out', async () => {
    const save = jest.fn(async () => undefined);
    const state = {
      fetch: async () => ({ wrap: false, outputs: 'yes', evil: true }),
      save
    } as any;
    const options = new DifferenceOptions(state);
    await options.restore();
    expect(options.value).toMatchObject({ wrap: false, outputs: true });
    expect(options.value).not.toHaveProperty('evil');
    options.set({ counts: true });
    expect(save).toHaveBeenCalledWith(
      'dotscience-jupyter:difference',
      expect.objectContaining({ wrap: false, counts: true })
    );
  });
});

describe('contentsPath', () => {
  it('knows where a file of a workspace is on this server', () => {
    expect(contentsPath({ path: 'a/b', prefix: '' }, 'c/d.py')).toBe(
      'a/b/c/d.py'
    );
    expect(contentsPath({ path: '', prefix: '' }, 'd.py')).toBe('d.py');
    expect(contentsPath({ path: '', prefix: 'sub' }, 'sub/d.py')).toBe('d.py');
    expect(contentsPath({ path: '', prefix: 'sub' }, 'subway.py')).toBeNull();
  });
});
