// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { makeChart, parseCharts } from '../explorer/charts/state';
import { alignLines, makeLines } from '../explorer/charts/series';
import { smooth } from '../explorer/charts/smoothing';
import { commonest, makeScale } from '../explorer/charts/scale';
import {
  defaultColumns,
  directionOf,
  FRESH,
  guessDirection,
  moveItem,
  nextSort,
  parseState,
  sortText,
  stateToJSON
} from '../explorer/state';
import { aColumn, COLUMNS } from './explorer.fixtures';

describe('the direction of a metric', () => {
  it.each([
    ['loss', 'lower'],
    ['val_loss', 'lower'],
    ['valLoss', 'lower'],
    ['error_rate', 'lower'],
    ['RMSE', 'lower'],
    ['mae', 'lower'],
    ['train time', 'lower'],
    ['perplexity', 'lower'],
    ['train_seconds', 'lower'],
    ['accuracy', 'higher'],
    ['f1', 'higher'],
    ['r2', 'higher'],
    ['samples_per_second', 'higher'],
    ['timeliness_score', 'higher'],
    ['anything', 'higher']
  ])('is guessed from its name: %s', (name, direction) => {
    expect(guessDirection(name)).toBe(direction);
  });

  it('can be told, and only metrics have one by themselves', () => {
    const loss = aColumn({ key: 'metrics.loss', name: 'loss' });
    expect(directionOf(loss, {})).toBe('lower');
    expect(directionOf(loss, { 'metrics.loss': 'none' })).toBe('none');
    const depth = aColumn({ key: 'parameters.loss', kind: 'parameter' });
    expect(directionOf(depth, {})).toBe('none');
    const odd = aColumn({ key: 'constructor', name: 'constructor' });
    expect(directionOf(odd, {})).toBe('higher');
  });
});

describe('sorting', () => {
  it('goes up, down and away with clicks', () => {
    const up = nextSort([], 'a', false);
    expect(sortText(up)).toBe('a asc');
    const down = nextSort(up, 'a', false);
    expect(sortText(down)).toBe('a desc');
    expect(nextSort(down, 'a', false)).toEqual([]);
  });

  it('begins with the largest where they are the best', () => {
    const first = nextSort([], 'a', false, true);
    expect(sortText(first)).toBe('a desc');
    expect(sortText(nextSort(first, 'a', false, true))).toBe('a asc');
  });

  it('takes further keys, and turns one of them in its place', () => {
    let sort = nextSort([], 'a', false);
    sort = nextSort(sort, 'b', true);
    expect(sortText(sort)).toBe('a asc, b asc');
    sort = nextSort(sort, 'a', true);
    expect(sortText(sort)).toBe('a desc, b asc');
    sort = nextSort(sort, 'a', true);
    expect(sortText(sort)).toBe('b asc');
    expect(sortText(nextSort(sort, 'c', false))).toBe('c asc');
  });
});

describe('the state of a view', () => {
  it('is the same after a round trip through JSON', () => {
    const state = {
      ...FRESH,
      where: "metrics.accuracy > 0.9 and parameters.model = 'svm'",
      search: 'fast',
      sort: [{ key: 'metrics."odd name"', descending: true }],
      columns: ['started', 'metrics.accuracy'],
      pinned: ['description', 'parameters.model'],
      widths: { started: 123 },
      directions: { 'metrics.accuracy': 'lower' as const },
      charts: (['scatter', 'series', 'parallel', 'importance'] as const).map(
        kind => makeChart(kind, COLUMNS, `c-${kind}`)
      ),
      chartsOpen: true,
      columnsOpen: true,
      share: 0.5,
      selected: ['run-1', 'run-2']
    };
    const kept: unknown = JSON.parse(JSON.stringify(stateToJSON(state)));
    expect(parseState(kept)).toEqual(state);
  });

  it('is fresh where what was kept is not a state', () => {
    for (const kept of [undefined, null, 7, 'x', [], { sort: 3, charts: {} }]) {
      expect(parseState(kept)).toEqual(FRESH);
    }
    expect(
      parseState({
        sort: [{ key: 7 }, { key: 'a' }],
        widths: { a: 'x', b: 1e9, c: 100 },
        directions: { a: 'sideways', b: 'lower' },
        share: 7,
        selected: [1, 'run', 'run']
      })
    ).toEqual({
      ...FRESH,
      sort: [{ key: 'a', descending: false }],
      widths: { c: 100 },
      directions: { b: 'lower' },
      selected: ['run']
    });
  });

  it('keeps only charts that can be drawn', () => {
    const chart = makeChart('scatter', COLUMNS, 'one');
    expect(
      parseCharts([chart, chart, null, { type: 'pie', id: 'x' }, { id: 'y' }])
    ).toEqual([chart]);
    const series = parseCharts([
      { type: 'series', id: 's', name: 'loss', x: 'never', smoothing: 7 }
    ]);
    expect(series).toEqual([
      {
        type: 'series',
        id: 's',
        name: 'loss',
        x: 'step',
        smoothing: 0.99,
        log: false
      }
    ]);
  });

  it('has the commonest values as columns by default', () => {
    const many = Array.from({ length: 40 }, (_, n) =>
      aColumn({ key: `metrics.m${n}`, name: `m${n}`, runs: n })
    );
    const columns = defaultColumns([...COLUMNS, ...many], ['description']);
    expect(columns).not.toContain('description');
    expect(columns.slice(0, 2)).toEqual(['started', 'status']);
    expect(columns).toContain('metrics.m39');
    expect(columns).not.toContain('metrics.m1');
    expect(columns).toContain('parameters.model');
  });

  it('moves columns', () => {
    expect(moveItem(['a', 'b', 'c'], 'a', 2)).toEqual(['b', 'a', 'c']);
    expect(moveItem(['a', 'b', 'c'], 'a', 3)).toEqual(['b', 'c', 'a']);
    expect(moveItem(['a', 'b', 'c'], 'c', 0)).toEqual(['c', 'a', 'b']);
    expect(moveItem(['a', 'b', 'c'], 'b', 1)).toEqual(['a', 'b', 'c']);
  });
});

describe('smoothing', () => {
  it('leaves a series alone without weight', () => {
    expect(smooth([1, null, 3], 0)).toEqual([1, null, 3]);
  });

  it('has no bias towards 0: what never changes stays', () => {
    for (const value of smooth([5, 5, 5, 5], 0.9)) {
      expect(value).toBeCloseTo(5, 12);
    }
  });

  it('is the mean weighted by age', () => {
    const [first, second, third] = smooth([1, 2, 4], 0.5) as number[];
    expect(first).toBeCloseTo(1);
    expect(second).toBeCloseTo((2 * 0.5 + 1 * 0.25) / 0.75);
    expect(third).toBeCloseTo((4 * 0.5 + 2 * 0.25 + 1 * 0.125) / 0.875);
  });

  it('passes over gaps', () => {
    const [, gap, after] = smooth([1, null, 1], 0.9);
    expect(gap).toBeNull();
    expect(after).toBeCloseTo(1);
  });
});

describe('lines', () => {
  const item = (run: string, steps: number[], values: (number | null)[]) => ({
    run,
    live: false,
    count: steps.length,
    steps,
    values,
    times: steps.map(step => 1000 + 2 * step)
  });
  const chart = {
    type: 'series' as const,
    id: 's',
    name: 'loss',
    x: 'step' as const,
    smoothing: 0,
    log: false
  };

  it('come to common places; what is not there is passed over', () => {
    const lines = makeLines(
      [item('a', [0, 2], [1, 3]), item('b', [1, 2], [null, -5])],
      chart,
      run => run,
      true
    );
    expect(alignLines(lines, false)).toEqual([
      [0, 1, 2],
      [1, undefined, 3],
      [undefined, null, -5]
    ]);
    expect(alignLines(lines, true)[2]).toEqual([undefined, null, null]);
  });

  it('begin at 0 in relative time, and stay apart without colours', () => {
    const many = Array.from({ length: 20 }, (_, n) => item(`r${n}`, [3], [1]));
    const lines = makeLines(
      many,
      { ...chart, x: 'relative' },
      run => run,
      true
    );
    expect(lines[0].xs).toEqual([0]);
    const looks = new Set(lines.map(line => `${line.color} ${line.dash}`));
    expect(looks.size).toBe(20);
  });
});

describe('scales', () => {
  it('have no place for what is not above 0 where they are logarithmic', () => {
    const scale = makeScale({ type: 'number' }, [0, 1, 100], [0, 300], {
      log: true
    });
    expect(scale.place(0)).toBeNull();
    expect(scale.place(10)).toBeCloseTo(150);
    expect(scale.ticks.map(tick => tick.text)).toEqual(['1', '10', '100']);
  });

  it('know NaN and infinities as the server writes them', () => {
    const scale = makeScale({ type: 'number' }, [1, 2, 'nan', 'inf'], [0, 100]);
    expect(scale.place('inf')).toBeNull();
    expect(scale.place('nan')).toBeNull();
    expect(scale.place(2)).toBeCloseTo(100);
  });

  it('have a place for each text, and none for nothing', () => {
    const scale = makeScale({ type: 'text' }, ['b', 'a', 'a', null], [0, 100]);
    expect(scale.ticks.map(tick => tick.text)).toEqual(['a', 'b']);
    expect(scale.place(null)).toBeNull();
    expect(scale.place('c')).toBeNull();
    expect(commonest(['x10', 'x9', 'x9'], 5)).toEqual(['x9', 'x10']);
  });

  it('are fit for a single value and for none', () => {
    expect(makeScale({ type: 'number' }, [3, 3], [0, 100]).place(3)).toBe(50);
    expect(makeScale({ type: 'number' }, [], [0, 100]).ticks).not.toEqual([]);
  });
});
