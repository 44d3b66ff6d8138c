// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { compareRuns } from '../compare/compare';
import { CompareModel } from '../compare/model';
import { formatDelta } from '../compare/table';
import {
  COMMIT_A,
  COMMIT_B,
  RUN_A,
  RUN_B,
  makeClient,
  makeRun
} from './run.fixtures';

describe('compareRuns', () => {
  it('finds no difference between a run and itself', () => {
    const run = makeRun();
    const compared = compareRuns(run, run);
    const rows = [
      ...compared.parameters,
      ...compared.metrics,
      ...compared.labels,
      ...compared.seeds,
      ...compared.inputs,
      ...compared.outputs,
      ...compared.environment.facts,
      ...compared.environment.packages
    ];
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.every(row => row.same)).toBe(true);
  });

  it('tells a missing value from an empty, false or none one', () => {
    const compared = compareRuns(
      makeRun({ parameters: { a: '', b: false, c: null, d: 1 } }),
      makeRun({ parameters: { a: '', e: 2, c: null } })
    );
    expect(compared.parameters).toEqual([
      { name: 'a', a: '', b: '', same: true },
      { name: 'b', a: false, b: undefined, same: false },
      { name: 'c', a: null, b: null, same: true },
      { name: 'd', a: 1, b: undefined, same: false },
      { name: 'e', a: undefined, b: 2, same: false }
    ]);
  });

  it('does not take the type of a value for its text', () => {
    const { parameters } = compareRuns(
      makeRun({ parameters: { lr: 1 } }),
      makeRun({ parameters: { lr: '1' } })
    );
    expect(parameters[0].same).toBe(false);
  });

  it('is not confused by names that every object has', () => {
    const { parameters } = compareRuns(
      makeRun({ parameters: { constructor: 'x' } }),
      makeRun({ parameters: {} })
    );
    expect(parameters).toEqual([
      { name: 'constructor', a: 'x', b: undefined, same: false }
    ]);
  });

  it('gives differences of metrics, absolute and relative', () => {
    const { metrics } = compareRuns(
      makeRun({
        metrics: { up: 2, zero: 0, text: 'x', nan: 'nan', negative: -2 },
        series: []
      }),
      makeRun({
        metrics: { up: 3, zero: 1, text: 'y', nan: 1, negative: -1 },
        series: [{ name: 'curve', count: 5 }]
      })
    );
    const byName = new Map(metrics.map(metric => [metric.name, metric]));
    expect(byName.get('up')).toMatchObject({ delta: 1, relative: 0.5 });
    expect(byName.get('zero')).toMatchObject({ delta: 1, relative: null });
    expect(byName.get('text')).toMatchObject({ delta: null, relative: null });
    expect(byName.get('nan')).toMatchObject({ delta: null, relative: null });
    expect(byName.get('negative')).toMatchObject({ delta: 1, relative: 0.5 });
    expect(byName.get('curve')).toMatchObject({
      a: undefined,
      b: undefined,
      same: false,
      seriesA: false,
      seriesB: true
    });
  });

  it('compares files by digest, then by version and size', () => {
    const file = (
      path: string,
      digest: string | null,
      version: string | null,
      size: number | null
    ) => ({
      path,
      digest,
      version,
      size,
      made_by: null,
      made_in: null,
      authority: 'workload'
    });
    const { inputs } = compareRuns(
      makeRun({
        inputs: [
          file('digest-differs', 'x', 'v', 1),
          file('digest-same', 'x', 'v1', 1),
          file('size-differs', null, 'v', 1),
          file('unknown', null, null, 1),
          file('version-same', null, 'v', 1),
          file('only-a', 'x', 'v', 1)
        ]
      }),
      makeRun({
        inputs: [
          file('digest-differs', 'y', 'v', 1),
          file('digest-same', 'x', 'v2', 1),
          file('size-differs', null, 'v', 2),
          file('unknown', 'x', null, 1),
          file('version-same', null, 'v', 1)
        ]
      })
    );
    expect(Object.fromEntries(inputs.map(row => [row.path, row.same]))).toEqual(
      {
        'digest-differs': false,
        'digest-same': true,
        'size-differs': false,
        unknown: null,
        'version-same': true,
        'only-a': false
      }
    );
  });

  it('compares environments, also where one is missing', () => {
    const { environment } = compareRuns(
      makeRun(),
      makeRun({
        environment: { packages: { numpy: '2.2.0', scipy: '1.0' } }
      })
    );
    expect(environment.packages).toEqual([
      { name: 'numpy', a: '2.1.0', b: '2.2.0', same: false },
      { name: 'pandas', a: '2.2.0', b: undefined, same: false },
      { name: 'scipy', a: undefined, b: '1.0', same: false }
    ]);
    expect(environment.facts.map(row => row.name)).toContain('git');
    expect(
      compareRuns(
        makeRun({ environment: null }),
        makeRun({ environment: null })
      ).environment
    ).toEqual({ facts: [], packages: [] });
  });
});

describe('formatDelta', () => {
  it.each([
    [null, null, '—'],
    [0, 0, '0'],
    [0.5, 0.25, '+0.5 (+25.0 %)'],
    [-3, -1.5, '−3 (−150 %)'],
    [1, null, '+1'],
    [0.001, 0.0005, '+0.001 (+0.05 %)']
  ])('shows %p and %p as %p', (delta, relative, text) => {
    expect(formatDelta(delta, relative)).toBe(text);
  });
});

describe('CompareModel', () => {
  const answers = {
    [`v1/runs/${RUN_A}`]: makeRun(),
    [`v1/runs/${RUN_B}`]: makeRun({ id: RUN_B, commit: COMMIT_B }),
    'v1/diff': { old: COMMIT_A, new: COMMIT_B, items: [], total: 0 }
  };

  it('reads both runs, then how their files differ', async () => {
    const { client, asked } = makeClient(answers);
    const model = new CompareModel({
      client,
      workspace: 'w',
      a: RUN_A,
      b: RUN_B
    });
    await model.load();
    expect(model.a.detail?.id).toBe(RUN_A);
    expect(model.b.detail?.id).toBe(RUN_B);
    expect(model.diff?.total).toBe(0);
    const query = asked.find(({ path }) => path === 'v1/diff')?.query;
    expect(query?.get('old')).toBe(COMMIT_A);
    expect(query?.get('new')).toBe(COMMIT_B);
    expect(query?.get('path')).toBe('w');

    await model.swap();
    expect(model.a.run).toBe(RUN_B);
    const last = asked[asked.length - 1];
    expect(last.query.get('old')).toBe(COMMIT_B);
    model.dispose();
  });

  it('asks for no differences of a commit with itself', async () => {
    const { client, asked } = makeClient({
      ...answers,
      [`v1/runs/${RUN_B}`]: makeRun({ id: RUN_B })
    });
    const model = new CompareModel({
      client,
      workspace: '',
      a: RUN_A,
      b: RUN_B
    });
    await model.load();
    expect(model.diff).toMatchObject({ total: 0, items: [] });
    expect(asked.some(({ path }) => path === 'v1/diff')).toBe(false);
    model.dispose();
  });

  it('goes on where the last page of differences ended', async () => {
    const item = {
      change: 'added',
      kind: 'file',
      old_size: null,
      new_size: 1,
      old_digest: null,
      new_digest: 'x'
    };
    let page = 0;
    const { client, asked } = makeClient({
      ...answers,
      'v1/diff': () =>
        new Response(
          JSON.stringify({
            old: COMMIT_A,
            new: COMMIT_B,
            items: [{ ...item, path: `f${page++}` }],
            total: 2
          })
        )
    });
    const model = new CompareModel({
      client,
      workspace: '',
      a: RUN_A,
      b: RUN_B
    });
    await model.load();
    await model.loadDiff(true);
    expect(model.diff?.items.map(({ path }) => path)).toEqual(['f0', 'f1']);
    expect(asked[asked.length - 1].query.get('offset')).toBe('1');
    model.dispose();
  });
});
