// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';

import type { SeriesPoints } from '../api/schema';
import { alignCurves, canBeLogarithmic, extremes } from '../run/curves';
import { readEnvironment } from '../run/environment';
import {
  NOTHING,
  asNumber,
  compareValues,
  formatBytes,
  formatDuration,
  formatNumber,
  formatTime,
  formatValue,
  runTitle,
  valueKind
} from '../run/format';
import { proposeFolder } from '../run/restore';
import { readModels } from '../run/values';
import { RUN_A, makeRun } from './run.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');

describe('values', () => {
  it.each([
    [1, '1'],
    [-0.5, '-0.5'],
    [0.1 + 0.2, '0.3'],
    [0.93333333333, '0.933333'],
    [123456789, '123456789'],
    [1e-7, '1e-7'],
    [1.23456789e-5, '1.2346e-5'],
    [2e20, '2e+20'],
    [NaN, 'nan'],
    [-Infinity, '-inf']
  ])('shows the number %p as %p', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('keeps all digits where asked to', () => {
    expect(formatValue(0.93333333333, true)).toBe('0.93333333333');
  });

  it('tells nothing from none, false and empty text', () => {
    expect(formatValue(undefined)).toBe(NOTHING);
    expect(formatValue(null)).toBe('None');
    expect(formatValue(false)).toBe('False');
    expect(formatValue('')).toBe('');
  });

  it('reads the numbers that JSON cannot hold', () => {
    expect(asNumber('nan')).toBeNaN();
    expect(asNumber('-inf')).toBe(-Infinity);
    expect(asNumber('svm')).toBeNull();
    expect(asNumber('12')).toBeNull();
    expect(asNumber(true)).toBeNull();
  });

  it('tells kinds apart', () => {
    expect([1, true, 'x', null].map(valueKind)).toEqual([
      'number',
      'boolean',
      'text',
      'none'
    ]);
  });

  it('orders numbers by size and text as people do, nothing last', () => {
    const values = ['a10', null, 10, 'a9', 9, true, undefined];
    expect([...values].sort(compareValues).slice(0, 5)).toEqual([
      9,
      10,
      true,
      'a9',
      'a10'
    ]);
  });
});

describe('durations, sizes and times', () => {
  it.each([
    [null, NOTHING],
    [0, '0 ms'],
    [0.0123, '12 ms'],
    [1, '1 s'],
    [2.345, '2.35 s'],
    [59.94, '59.9 s'],
    [59.99, '1 min 0 s'],
    [61, '1 min 1 s'],
    [3599.6, '1 h 0 min'],
    [90000, '1 d 1 h']
  ])('shows %p seconds as %p', (seconds, text) => {
    expect(formatDuration(seconds, trans)).toBe(text);
  });

  it.each([
    [null, NOTHING],
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [16e9, '16.0 GB']
  ])('shows %p bytes as %p', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('shows what is no time as it is', () => {
    expect(formatTime('soon')).toBe('soon');
    expect(formatTime(null)).toBe(NOTHING);
    expect(formatTime('2026-03-04T05:06:07Z')).toContain('2026');
  });
});

describe('runTitle', () => {
  it('is the first line, shortened', () => {
    expect(runTitle({ id: RUN_A, description: ' one\ntwo' }, trans)).toBe(
      'one'
    );
    expect(
      runTitle({ id: RUN_A, description: 'x'.repeat(200) }, trans)
    ).toHaveLength(80);
  });

  it('is the short id where there is no description', () => {
    expect(runTitle({ id: RUN_A, description: ' \n' }, trans)).toBe(
      'Run 11111111'
    );
  });
});

describe('readModels', () => {
  it('reads the label of a model', () => {
    expect(readModels(makeRun())).toEqual([
      {
        name: 'digits',
        type: 'sklearn-model',
        version: '1.5',
        files: [{ role: 'model', path: 'model.joblib' }]
      }
    ]);
  });

  it.each(['not json', '[1]', '{"files":7,"type":{}}', 'null'])(
    'keeps the name where the label is %p',
    label => {
      expect(
        readModels({ models: ['m'], labels: { 'artefact:m': label } })
      ).toEqual([{ name: 'm', type: '', version: '', files: [] }]);
    }
  );
});

describe('readEnvironment', () => {
  it('reads what is there', () => {
    const { facts, packages } = readEnvironment(makeRun().environment);
    expect(facts).toEqual({
      python: 'CPython 3.11.7',
      platform: 'Linux-6.1',
      ram: '16.0 GB',
      git: 'c0ffee',
      branch: 'main',
      dirty: 'true'
    });
    expect(packages).toEqual({ numpy: '2.1.0', pandas: '2.2.0' });
  });

  it.each([
    null,
    {},
    { python: 'x', gpu: 1, packages: [1], git: null, cpu: { model: [] } }
  ])('takes nothing for granted in %p', environment => {
    expect(readEnvironment(environment)).toEqual({ facts: {}, packages: {} });
  });
});

describe('proposeFolder', () => {
  it('proposes a folder beside the workspace', () => {
    expect(proposeFolder('team/iris', makeRun())).toBe(
      'team/iris-restored-2026-03-04-11111111'
    );
    expect(proposeFolder('iris', makeRun())).toBe(
      'iris-restored-2026-03-04-11111111'
    );
  });

  it('stays inside the server where the workspace is all of it', () => {
    expect(proposeFolder('', makeRun({ started: null }))).toBe(
      'restored-2026-03-04-11111111'
    );
  });
});

describe('curves', () => {
  const points = (
    steps: number[],
    values: (number | null)[],
    start = 1000
  ): SeriesPoints => ({
    name: 'loss',
    count: steps.length,
    steps,
    values,
    times: steps.map((_, index) => start + index)
  });

  it('brings curves to common positions, ascending', () => {
    const columns = alignCurves(
      [
        { label: 'A', points: points([2, 0, 1], [0.2, 0.0, 0.1]) },
        { label: 'B', points: points([1, 3], [5, null]) }
      ],
      'step',
      false
    );
    expect(columns).toEqual([
      [0, 1, 2, 3],
      [0.0, 0.1, 0.2, undefined],
      [undefined, 5, undefined, null]
    ]);
  });

  it('counts time from each first point', () => {
    const [x] = alignCurves(
      [
        { label: 'A', points: points([0, 1], [1, 2], 1000) },
        { label: 'B', points: points([0, 1], [3, 4], 9000) }
      ],
      'time',
      false
    );
    expect(x).toEqual([0, 1]);
  });

  it('leaves out of a logarithmic chart what has no place there', () => {
    const curve = { label: 'A', points: points([0, 1, 2], [0, -1, 10]) };
    expect(alignCurves([curve], 'step', true)[1]).toEqual([null, null, 10]);
    expect(canBeLogarithmic([curve])).toBe(true);
    expect(canBeLogarithmic([{ label: 'A', points: points([0], [0]) }])).toBe(
      false
    );
  });

  it('keeps the last of several values at a position', () => {
    expect(
      alignCurves(
        [{ label: 'A', points: points([1, 1], [1, 2]) }],
        'step',
        false
      )
    ).toEqual([[1], [2]]);
  });

  it('finds extremes among numbers only', () => {
    expect(extremes(points([0, 1, 2], [3, null, -1]))).toEqual({
      least: -1,
      most: 3,
      last: -1
    });
    expect(extremes(points([0], [null]))).toBeNull();
  });
});
