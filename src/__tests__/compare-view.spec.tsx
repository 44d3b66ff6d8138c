// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import {
  act,
  fireEvent,
  render,
  screen,
  waitFor,
  within
} from '@testing-library/react';
import * as React from 'react';
import uPlot from 'uplot';

import { CompareModel } from '../compare/model';
import { CompareView } from '../compare/view';
import {
  COMMIT_A,
  COMMIT_B,
  RUN_A,
  RUN_B,
  makeClient,
  makeRun
} from './run.fixtures';

jest.mock('uplot', () => {
  const plot = Object.assign(
    jest.fn(() => ({ destroy: jest.fn(), setSize: jest.fn(), width: 160 })),
    { paths: { linear: () => undefined } }
  );
  return { __esModule: true, default: plot };
});
// what is in view at once
delete (globalThis as any).IntersectionObserver;

const Plot = uPlot as unknown as jest.Mock;
const trans = nullTranslator.load('dotscience_jupyter');
const RUN_C = '33333333-cccc-4ccc-8ccc-333333333333';

const points = (name: string, values: number[]) => ({
  name,
  count: values.length,
  steps: values.map((_, index) => index),
  values,
  times: values.map((_, index) => index)
});

async function show() {
  const { client } = makeClient({
    [`v1/runs/${RUN_A}`]: makeRun({ series: [{ name: 'loss', count: 2 }] }),
    [`v1/runs/${RUN_A}/series/loss`]: points('loss', [3, 2]),
    [`v1/runs/${RUN_B}/series/loss`]: points('loss', [5, 4, 3]),
    [`v1/runs/${RUN_B}/series/only-b`]: points('only-b', [1, 2]),
    [`v1/runs/${RUN_B}`]: makeRun({
      id: RUN_B,
      commit: COMMIT_B,
      description: 'second',
      parameters: { lr: 0.02, epochs: 10, model: 'svm' },
      metrics: { accuracy: 0.96875, loss: 0.125 },
      series: [
        { name: 'loss', count: 3 },
        { name: 'only-b', count: 2 }
      ]
    }),
    [`v1/runs/${RUN_C}`]: makeRun({ id: RUN_C, description: 'third' }),
    'v1/diff': {
      old: COMMIT_A,
      new: COMMIT_B,
      total: 3,
      items: [
        {
          path: 'new.txt',
          old_path: null,
          change: 'added',
          kind: 'file',
          old_size: null,
          new_size: 1500,
          old_digest: null,
          new_digest: 'x'
        },
        {
          path: 'gone.txt',
          old_path: null,
          change: 'removed',
          kind: 'file',
          old_size: 500,
          new_size: null,
          old_digest: 'y',
          new_digest: null
        },
        {
          path: 'sub/model.bin',
          old_path: 'model.bin',
          change: 'renamed',
          kind: 'file',
          old_size: 2500,
          new_size: 2500,
          old_digest: 'z',
          new_digest: 'z'
        }
      ]
    }
  });
  const model = new CompareModel({
    client,
    workspace: 'iris',
    a: RUN_A,
    b: RUN_B
  });
  const actions = {
    openRun: jest.fn(),
    openFile: jest.fn(),
    openDifference: jest.fn(),
    copyLink: jest.fn(),
    chooseRun: jest.fn(async () => RUN_C)
  };
  const Live = (): JSX.Element => {
    const [, setRound] = React.useState(0);
    React.useEffect(() => {
      const onChanged = (): void => setRound(n => n + 1);
      model.stateChanged.connect(onChanged);
      return () => {
        model.stateChanged.disconnect(onChanged);
      };
    }, []);
    return <CompareView {...{ model, actions, trans }} themeManager={null} />;
  };
  render(<Live />);
  await act(() => model.load());
  return { model, actions };
}

describe('CompareView', () => {
  it('shows only differences until told otherwise', async () => {
    await show();
    const table = screen.getByRole('table', { name: 'Parameters' });
    expect(
      within(table)
        .getAllByRole('row')
        .map(row => row.textContent)
    ).toEqual(['NameAB', 'lr0.010.02', 'shuffleTrue—']);
    fireEvent.click(screen.getByRole('checkbox', { name: 'Only differences' }));
    expect(within(table).getAllByRole('row')).toHaveLength(5);
  });

  it('shows how metrics differ', async () => {
    await show();
    const table = screen.getByRole('table', { name: 'Metrics' });
    expect(
      within(table).getByRole('row', {
        name: 'accuracy 0.9375 0.96875 +0.03125 (+3.3 %)'
      })
    ).toBeTruthy();
  });

  it('draws both curves into one chart, each in its run’s own style', async () => {
    Plot.mockClear();
    await show();
    await waitFor(() => expect(Plot).toHaveBeenCalledTimes(2));
    const [both, one] = Plot.mock.calls;
    expect(both[1]).toEqual([
      [0, 1, 2],
      [3, 2, undefined],
      [5, 4, 3]
    ]);
    const dashes = (call: unknown[]): unknown[] =>
      (call[0] as uPlot.Options).series.slice(1).map(({ dash }) => dash);
    expect(dashes(both)[0]).toBeUndefined();
    expect(dashes(both)[1]).toEqual(dashes(one)[0]);
    expect(dashes(one)[0]).toBeDefined();
  });

  it('shows how the files of the commits differ and opens them', async () => {
    const { actions } = await show();
    const region = screen.getByRole('region', {
      name: /^Files of the two commits/
    });
    expect(region.textContent).toContain(
      '1 added, 0 modified, 1 removed, 1 renamed; B is 1.0 kB larger than A.'
    );
    fireEvent.click(within(region).getByRole('button', { name: '1.5 kB' }));
    expect(actions.openFile).toHaveBeenLastCalledWith(COMMIT_B, 'new.txt');
    fireEvent.click(within(region).getByRole('button', { name: '500 B' }));
    expect(actions.openFile).toHaveBeenLastCalledWith(COMMIT_A, 'gone.txt');
    const renamed = within(region).getByRole('row', {
      name: 'model.bin → sub/model.bin renamed 2.5 kB 2.5 kB'
    });
    const [inside, before, after] = within(renamed).getAllByRole('button');
    fireEvent.click(inside);
    expect(actions.openDifference).toHaveBeenLastCalledWith(
      COMMIT_A,
      COMMIT_B,
      'sub/model.bin'
    );
    fireEvent.click(before);
    expect(actions.openFile).toHaveBeenLastCalledWith(COMMIT_A, 'model.bin');
    fireEvent.click(after);
    expect(actions.openFile).toHaveBeenLastCalledWith(
      COMMIT_B,
      'sub/model.bin'
    );
  });

  it('swaps the runs and takes another', async () => {
    const { model, actions } = await show();
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: /Swap/ }));
    });
    const first = screen.getByRole('group', { name: 'Run A' });
    expect(within(first).getByRole('button', { name: 'second' })).toBeTruthy();
    fireEvent.click(
      within(first).getByRole('button', { name: 'Choose another…' })
    );
    await waitFor(() =>
      expect(within(first).getByRole('button', { name: 'third' })).toBeTruthy()
    );
    expect(actions.chooseRun).toHaveBeenCalledWith(RUN_A);
    expect([model.a.run, model.b.run]).toEqual([RUN_C, RUN_A]);
  });
});
