// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
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

import { RunModel } from '../run/model';
import type { IRunActions } from '../run/view';
import { RunView } from '../run/view';
import { RunWidget } from '../run/widget';
import type { Answers } from './run.fixtures';
import {
  COMMIT_A,
  COMMIT_B,
  RUN_A,
  RUN_B,
  json,
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

/** What comes into view does so when a test says so. */
class Observer {
  static all: Observer[] = [];

  static comeIntoView(): void {
    act(() =>
      Observer.all.forEach(one => one.callback([{ isIntersecting: true }]))
    );
  }

  constructor(
    private callback: (entries: { isIntersecting: boolean }[]) => void
  ) {
    Observer.all.push(this);
  }

  observe(): void {
    this.callback([{ isIntersecting: false }]);
  }

  disconnect(): void {
    Observer.all = Observer.all.filter(one => one !== this);
  }
}
(globalThis as any).IntersectionObserver = Observer;

const Plot = uPlot as unknown as jest.Mock;
const trans = nullTranslator.load('dotscience_jupyter');

function show(
  answers: Answers,
  themeManager: IThemeManager | null = null
): {
  model: RunModel;
  actions: jest.Mocked<IRunActions>;
  asked: ReturnType<typeof makeClient>['asked'];
  load: () => Promise<void>;
} {
  const { client, asked } = makeClient(answers);
  const model = new RunModel({ client, run: RUN_A, workspace: 'iris' });
  const actions = {
    openRun: jest.fn(),
    openFile: jest.fn(),
    openWorkload: jest.fn(),
    openProvenance: jest.fn()
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
    return (
      <RunView
        model={model}
        actions={actions}
        themeManager={themeManager}
        trans={trans}
      />
    );
  };
  render(<Live />);
  return { model, actions, asked, load: () => act(() => model.load()) };
}

const run = `v1/runs/${RUN_A}`;

describe('RunView', () => {
  beforeEach(() => Plot.mockClear());

  it('says that it is reading, then shows the run', async () => {
    const { load } = show({ [run]: makeRun() });
    expect(screen.getByRole('status').textContent).toContain('Reading the run');
    await load();
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe(
      'train the model'
    );
    for (const name of [
      /^Metrics/,
      /^Parameters/,
      /^Labels/,
      /^Models/,
      /^Inputs/,
      /^Outputs/,
      /^Environment/,
      /^Seeds/,
      /^Resources/,
      /^Commit metadata/
    ]) {
      expect(screen.getByRole('region', { name })).toBeTruthy();
    }
    expect(screen.queryByRole('region', { name: /^Logs/ })).toBeNull();
    expect(screen.queryByRole('region', { name: /^Datasets/ })).toBeNull();
    expect(screen.getByText('1 min 15 s')).toBeTruthy();
    expect(screen.getByText('104.9 MB')).toBeTruthy();
  });

  it('shows the datasets that were read and written, with their versions', async () => {
    const file = (
      path: string,
      made_by: string | null,
      made_in: string | null = null
    ) => ({
      path,
      version: COMMIT_B,
      digest: 'd'.repeat(64),
      size: 2048,
      made_by,
      made_in,
      authority: 'derived'
    });
    const evil = '<img src=x onerror="window.hacked=1">';
    const { actions, load } = show({
      [run]: makeRun({
        datasets: [
          {
            name: evil,
            dataset: 'id-1',
            direction: 'input',
            version: COMMIT_A,
            path: 'data/measured',
            files: [
              file('2024/raw.csv', RUN_B),
              file('2025/raw.csv', RUN_B, 'other-workspace')
            ]
          },
          {
            name: 'results',
            dataset: 'id-2',
            direction: 'output',
            version: null,
            path: null,
            files: []
          }
        ]
      })
    });
    await load();
    const region = screen.getByRole('region', { name: /^Datasets/ });
    const read = within(region).getByRole('group', { name: `${evil}, read` });
    expect(read.textContent).toContain('Version aaaaaaaa of the dataset.');
    expect(read.textContent).toContain('attached at data/measured now');
    const row = within(read).getByRole('row', { name: /2024.raw\.csv/ });
    expect(row.textContent).toContain('found, not declared');
    expect(row.textContent).toContain('bbbbbbbb');
    expect(row.textContent).toContain('2.0 kB');
    fireEvent.click(within(row).getByRole('button', { name: /^Run 2222/ }));
    expect(actions.openRun).toHaveBeenCalledWith(RUN_B);
    // what is in another workspace cannot be opened here
    const elsewhere = within(read).getByText(
      'Run 22222222, in another workspace'
    );
    expect(elsewhere.title).toContain(`Run ${RUN_B} of the workspace`);
    expect(elsewhere.title).toContain('other-workspace');
    expect(within(read).getAllByRole('button', { name: /^Run / })).toHaveLength(
      1
    );
    fireEvent.click(within(row).getByRole('button', { name: /^Made from/ }));
    expect(actions.openProvenance).toHaveBeenCalledWith(
      `file:${evil}//2024/raw.csv@${COMMIT_B}`,
      'up'
    );
    const written = within(region).getByRole('group', {
      name: 'results, written'
    });
    expect(written.textContent).toContain('The version is not known.');
    expect(written.textContent).toContain('not attached');
    expect(written.textContent).toContain('No files of it are recorded.');
    expect(region.querySelector('img')).toBeNull();
  });

  it('shows parameters with their types and sorts them', async () => {
    const { load } = show({ [run]: makeRun() });
    await load();
    const table = screen.getByRole('table', { name: 'Parameters' });
    const names = (): (string | null)[] =>
      within(table)
        .getAllByRole('rowheader')
        .map(cell => cell.textContent);
    expect(names()).toEqual(['epochs', 'lr', 'model', 'shuffle']);
    expect(
      within(table).getByRole('row', { name: 'lr 0.01 number' })
    ).toBeTruthy();
    expect(
      within(table).getByRole('row', { name: 'shuffle True true or false' })
    ).toBeTruthy();
    const sort = within(table).getByRole('button', { name: /^Value/ });
    fireEvent.click(sort);
    expect(names()).toEqual(['lr', 'epochs', 'shuffle', 'model']);
    expect(sort.closest('th')?.getAttribute('aria-sort')).toBe('ascending');
    fireEvent.click(sort);
    expect(names()).toEqual(['model', 'shuffle', 'epochs', 'lr']);
    fireEvent.click(sort);
    expect(names()).toEqual(['epochs', 'lr', 'model', 'shuffle']);
  });

  it('opens files at the versions they had, and the run that made them', async () => {
    const { load, actions } = show({ [run]: makeRun() });
    await load();
    const inputs = screen.getByRole('table', { name: 'Inputs' });
    fireEvent.click(
      within(inputs).getByRole('button', { name: 'data/clean.csv' })
    );
    expect(actions.openFile).toHaveBeenLastCalledWith(
      COMMIT_B,
      'data/clean.csv'
    );
    fireEvent.click(
      within(inputs).getByRole('button', { name: 'Run 22222222' })
    );
    expect(actions.openRun).toHaveBeenLastCalledWith(RUN_B);
    const outputs = screen.getByRole('table', { name: 'Outputs' });
    fireEvent.click(
      within(outputs).getByRole('button', { name: 'model.joblib' })
    );
    expect(actions.openFile).toHaveBeenLastCalledWith(COMMIT_A, 'model.joblib');
    fireEvent.click(
      screen.getByRole('button', { name: 'notebooks/train.ipynb' })
    );
    expect(actions.openWorkload).toHaveBeenLastCalledWith(RUN_A);
  });

  it('shows models apart from labels', async () => {
    const { load } = show({ [run]: makeRun() });
    await load();
    const models = screen.getByRole('table', { name: 'Models' });
    expect(within(models).getByText('sklearn-model')).toBeTruthy();
    const labels = screen.getByRole('table', { name: 'Labels' });
    expect(within(labels).getAllByRole('rowheader')).toHaveLength(1);
  });

  it('says why a run failed', async () => {
    const { load } = show({
      [run]: makeRun({
        status: 'failed',
        error: 'bad value',
        traceback: 'ValueError: bad value (train.py, line 12)'
      })
    });
    await load();
    const box = screen.getByRole('group', { name: 'Why the run failed' });
    expect(box.textContent).toContain('bad value');
    expect(box.textContent).toContain('ValueError: bad value (train.py');
  });

  it('shows text of a run as text', async () => {
    const evil = '<img src=x onerror=alert(1)>';
    const { load } = show({
      [run]: makeRun({
        description: evil,
        author: evil,
        parameters: { [evil]: evil },
        labels: { [evil]: evil }
      })
    });
    await load();
    expect(document.querySelector('img')).toBeNull();
    expect(screen.getAllByText(evil).length).toBeGreaterThanOrEqual(5);
  });

  it('says plainly that there is no such run, and finds it later', async () => {
    const answers: Answers = {};
    const { load, model } = show(answers);
    await load();
    expect(screen.getByRole('alert').textContent).toContain(
      `This workspace has no run ${RUN_A}`
    );
    expect(model.isMissing).toBe(true);
    answers[run] = makeRun();
    fireEvent.click(screen.getByRole('button', { name: 'Retry' }));
    await waitFor(() =>
      expect(screen.getByRole('heading', { level: 1 })).toBeTruthy()
    );
  });

  it('says what went wrong otherwise', async () => {
    const { load, model } = show({
      [run]: () => json({ code: 'internal', message: 'The disk is full.' }, 500)
    });
    await load();
    expect(screen.getByRole('alert').textContent).toContain(
      'The disk is full.'
    );
    expect(model.isMissing).toBe(false);
  });

  it('filters packages', async () => {
    const { load } = show({ [run]: makeRun() });
    await load();
    const details = screen.getByText('2 packages').closest('details')!;
    details.open = true;
    fireEvent(details, new Event('toggle'));
    const filter = await screen.findByRole('searchbox', {
      name: 'Filter packages'
    });
    const table = screen.getByRole('table', { name: 'Packages' });
    expect(within(table).getAllByRole('rowheader')).toHaveLength(2);
    fireEvent.change(filter, { target: { value: 'NUM' } });
    expect(
      within(table)
        .getAllByRole('rowheader')
        .map(cell => cell.textContent)
    ).toEqual(['numpy']);
    fireEvent.change(filter, { target: { value: 'zzz' } });
    expect(screen.getByText(/No package/)).toBeTruthy();
  });

  it('reads a log only when it is opened', async () => {
    const { load, asked } = show({
      [run]: makeRun({ logs: [{ name: 'stdout.log', size: 3_000_000 }] }),
      [`${run}/logs/stdout.log`]: {
        name: 'stdout.log',
        size: 3_000_000,
        text: 'the last line',
        truncated: true
      }
    });
    await load();
    expect(asked.some(({ path }) => path.includes('logs'))).toBe(false);
    const details = screen.getByText('stdout.log (3.0 MB)').closest('details')!;
    details.open = true;
    fireEvent(details, new Event('toggle'));
    const log = await screen.findByText('the last line');
    expect(log.classList.contains('jp-mod-wrap')).toBe(true);
    fireEvent.click(screen.getByRole('button', { name: 'Wrap lines' }));
    expect(log.classList.contains('jp-mod-wrap')).toBe(false);
    expect(screen.getByText(/the last 200.0 kB of 3.0 MB/)).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Show more' }));
    await waitFor(() =>
      expect(asked[asked.length - 1].query.get('tail')).toBe('2000000')
    );
    await screen.findByText('the last line');
  });

  it('shows the metadata of the commit when asked to', async () => {
    const { load } = show({
      [run]: makeRun(),
      [`v1/commits/${COMMIT_A}`]: { metadata: { 'exec.start': '2026' } }
    });
    await load();
    const details = screen.getByText(/^Metadata of commit/).closest('details')!;
    details.open = true;
    fireEvent(details, new Event('toggle'));
    expect(await screen.findByText('exec.start')).toBeTruthy();
  });
});

describe('charts', () => {
  const answers: Answers = {
    [run]: makeRun({ series: [{ name: 'loss', count: 3 }] }),
    [`${run}/series/loss`]: {
      name: 'loss',
      count: 3,
      steps: [0, 1, 2],
      values: [0.5, null, 0.25],
      times: [100, 101, 103]
    }
  };

  beforeEach(() => Plot.mockClear());

  it('draws a series, over steps or time, and again with other colours', async () => {
    const themeChanged = new Signal<object, any>({});
    const { load, asked } = show(answers, { themeChanged } as any);
    await load();
    expect(asked.map(({ path }) => path)).toEqual([run]);
    Observer.comeIntoView();
    await waitFor(() => expect(Plot).toHaveBeenCalledTimes(1));
    expect(Plot.mock.calls[0][1]).toEqual([
      [0, 1, 2],
      [0.5, null, 0.25]
    ]);
    expect(screen.getByRole('img').getAttribute('aria-label')).toBe(
      'Chart of loss: 3 points between 0.25 and 0.5, the last 0.25.'
    );
    fireEvent.click(screen.getByRole('button', { name: 'Time' }));
    await waitFor(() => expect(Plot).toHaveBeenCalledTimes(2));
    expect(Plot.mock.calls[1][1][0]).toEqual([0, 1, 3]);
    expect(Plot.mock.results[0].value.destroy).toHaveBeenCalledTimes(1);
    fireEvent.click(screen.getByRole('button', { name: 'Log' }));
    await waitFor(() => expect(Plot).toHaveBeenCalledTimes(3));
    expect(Plot.mock.calls[2][0].scales.y.distr).toBe(3);
    act(() => themeChanged.emit({}));
    await waitFor(() => expect(Plot).toHaveBeenCalledTimes(4));
  });

  it('shows the same numbers as a table', async () => {
    const { load } = show(answers);
    await load();
    Observer.comeIntoView();
    fireEvent.click(await screen.findByRole('button', { name: 'Table' }));
    const table = screen.getByRole('table', { name: 'Points of loss' });
    expect(
      within(table)
        .getAllByRole('row')
        .slice(1)
        .map(row => row.textContent)
    ).toEqual(['00.50', '1—1', '20.253']);
    await waitFor(() => expect(screen.queryByRole('img')).toBeNull());
  });

  it('says when points cannot be read, and tries again', async () => {
    const failing: Answers = { ...answers };
    delete failing[`${run}/series/loss`];
    const { load } = show(failing);
    await load();
    Observer.comeIntoView();
    await screen.findByText('The points of loss could not be read.');
    failing[`${run}/series/loss`] = answers[`${run}/series/loss`];
    fireEvent.click(screen.getByRole('button', { name: 'Retry' }));
    await waitFor(() => expect(Plot).toHaveBeenCalled());
  });
});

describe('RunWidget', () => {
  it('names its tab after the run and goes with its model', async () => {
    const { client } = makeClient({ [run]: makeRun() });
    const model = new RunModel({ client, run: RUN_A, workspace: '' });
    const widget = new RunWidget({
      model,
      actions: {
        openRun: jest.fn(),
        openFile: jest.fn(),
        openWorkload: jest.fn(),
        openProvenance: jest.fn()
      },
      themeManager: null,
      trans
    });
    expect(widget.title.label).toBe('Run 11111111');
    await model.load();
    expect(widget.title.label).toBe('train the model');
    expect(widget.title.caption).toContain(RUN_A);
    widget.dispose();
    expect(model.isDisposed).toBe(true);
  });
});
