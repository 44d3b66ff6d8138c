// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import {
  act,
  cleanup,
  fireEvent,
  render,
  screen,
  within
} from '@testing-library/react';
import * as React from 'react';

import { ApiError } from '../api/client';
import { CommandIDs } from '../commands';
import { WorkspaceTracker } from '../model';
import { Panel } from '../panel/body';
import { ErrorBoundary } from '../panel/boundary';
import { PanelModel } from '../panel/model';
import { engineText } from '../panel/header';
import { WorkspaceStatusItem } from '../panel/statusitem';
import {
  anEvent,
  aRun,
  aStatus,
  aWorkspace,
  FakeClient,
  FakeEvents,
  manyRuns,
  settle
} from './utils';

const trans = nullTranslator.load('dotscience_jupyter');

interface IScene {
  client: FakeClient;
  events: FakeEvents;
  tracker: WorkspaceTracker;
  model: PanelModel;
  commands: CommandRegistry;
  executed: [string, any][];
  onMenu: jest.Mock;
  container: HTMLElement;
}

/** Show the panel as it is with a certain server. */
async function show(prepare: (client: FakeClient) => void): Promise<IScene> {
  const client = new FakeClient();
  const events = new FakeEvents();
  prepare(client);
  const tracker = new WorkspaceTracker({
    client: client.client,
    events: events as any,
    settle: 0
  });
  const model = new PanelModel(tracker, trans);
  const commands = new CommandRegistry();
  const executed: [string, any][] = [];
  for (const id of Object.values(CommandIDs)) {
    commands.addCommand(id, {
      describedBy: { args: {} },
      execute: args => {
        executed.push([id, args]);
        return id === CommandIDs.refresh ? tracker.refresh() : {};
      }
    });
  }
  const onMenu = jest.fn();
  model.isVisible = true;
  let container!: HTMLElement;
  await act(async () => {
    ({ container } = render(
      <Panel
        model={model}
        commands={commands}
        language="en"
        trans={trans}
        onMenu={onMenu}
      />
    ));
    await tracker.refresh();
    await settle();
  });
  scenes.push({ tracker, model });
  return {
    client,
    events,
    tracker,
    model,
    commands,
    executed,
    onMenu,
    container
  };
}

const scenes: Pick<IScene, 'tracker' | 'model'>[] = [];

afterEach(() => {
  cleanup();
  for (const { tracker, model } of scenes.splice(0)) {
    model.dispose();
    tracker.dispose();
  }
});

const wait = (ms: number) =>
  act(() => new Promise<void>(resolve => setTimeout(resolve, ms)));
const list = () => screen.getByRole('listbox', { name: 'Runs' });
const rows = () => within(list()).getAllByRole('option');

describe('Panel', () => {
  it('says that the server extension is missing, and tries again', async () => {
    const { client } = await show(client =>
      client.version.mockRejectedValueOnce(new ApiError(404, 'missing', ''))
    );
    expect(
      screen.getByText('The server extension is not running')
    ).toBeTruthy();
    expect(
      screen.getByText(/jupyter server extension enable dotscience_jupyter/)
    ).toBeTruthy();
    client.rows = [aRun()];
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Retry' }));
      await settle();
    });
    expect(rows()).toHaveLength(1);
  });

  it('says that the server cannot be reached', async () => {
    await show(client =>
      client.version.mockRejectedValue(new ApiError(0, 'offline', 'refused'))
    );
    expect(screen.getByText('The server cannot be reached')).toBeTruthy();
    expect(screen.getByText('refused')).toBeTruthy();
  });

  it('keeps the runs on the screen while the server is away', async () => {
    const { client, tracker } = await show(client => {
      client.rows = [aRun()];
    });
    client.version.mockRejectedValue(new ApiError(0, 'offline', 'refused'));
    await act(() => tracker.refresh());
    expect(screen.getByRole('alert').textContent).toContain('trying again');
    expect(rows()).toHaveLength(1);
  });

  it('offers to track a folder, and names it', async () => {
    const { executed } = await show(client => {
      client.answer = { workspace: null, suggested_path: 'repo', reason: '' };
    });
    expect(screen.getByText('The folder is repo.')).toBeTruthy();
    await act(async () => {
      fireEvent.click(
        screen.getByRole('button', { name: 'Start tracking this folder' })
      );
    });
    await act(async () => {
      fireEvent.click(
        screen.getByRole('button', { name: 'Clone a project from the hub…' })
      );
    });
    expect(executed).toEqual([
      [CommandIDs.startTracking, { path: 'repo', force: false }],
      [CommandIDs.cloneProject, {}]
    ]);
  });

  it('says why a folder cannot be tracked', async () => {
    await show(client => {
      client.answer = {
        workspace: null,
        suggested_path: null,
        reason: 'This is your home folder.'
      };
    });
    expect(screen.getByText('This is your home folder.')).toBeTruthy();
    expect(
      screen.queryByRole('button', { name: 'Start tracking this folder' })
    ).toBeNull();
  });

  it('shows runs under way, and opens them', async () => {
    const run = {
      id: 'live-1',
      state: 'running' as const,
      description: '<b>slow</b>',
      author: 'ada',
      workload_file: null,
      started: '2026-02-03T04:05:06Z',
      updated: '2026-02-03T04:05:06Z',
      parameters: {},
      metrics: {},
      labels: {},
      series: [{ name: 'loss', count: 2, last: 0.5, step: 1 }]
    };
    const { client, events, executed } = await show(client =>
      client.live.mockResolvedValue({ items: [run] })
    );
    const lines = screen.getByRole('list', { name: 'Runs under way' });
    expect(lines.textContent).toContain('loss 0.5');
    fireEvent.click(screen.getByRole('button', { name: '<b>slow</b>' }));
    expect(executed).toContainEqual([
      CommandIDs.openRun,
      { run: 'live-1', workspace: 'project' }
    ]);
    client.live.mockResolvedValue({ items: [] });
    await act(async () => {
      events.stream.emit(anEvent({ action: 'live' }));
      await settle();
    });
    expect(screen.queryByRole('list', { name: 'Runs under way' })).toBeNull();
  });

  it('shows code to copy while there are no runs', async () => {
    const { executed } = await show(() => undefined);
    expect(screen.getByText('No runs yet')).toBeTruthy();
    expect(screen.getByLabelText('Example code').textContent).toContain(
      'ds.publish('
    );
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Copy' }));
      await settle();
    });
    expect(executed[0][0]).toBe(CommandIDs.copyExampleCode);
    expect(screen.getByRole('button', { name: 'Copied' })).toBeTruthy();
  });

  it('shows what is known of a run', async () => {
    await show(client => {
      client.rows = [
        aRun(),
        aRun({
          id: 'deadbeef-1',
          description: '',
          status: 'failed',
          error: 'ValueError: bad',
          authority: 'derived'
        })
      ];
    });
    const [first, second] = rows();
    for (const text of ['Train an SVM', 'train.ipynb', 'ada', '0.9532']) {
      expect(within(first).getByText(text)).toBeTruthy();
    }
    expect(within(first).getByText('accuracy')).toBeTruthy();
    expect(within(second).getByText('Run deadbeef')).toBeTruthy();
    expect(within(second).getByText('failed')).toBeTruthy();
    expect(within(second).getByText('derived')).toBeTruthy();
    expect(within(second).getByText('ValueError: bad')).toBeTruthy();
  });

  it('never takes text of a run for markup', async () => {
    const { container } = await show(client => {
      client.rows = [aRun({ description: '<img src=x onerror=alert(1)>' })];
    });
    expect(container.querySelector('img')).toBeNull();
    expect(rows()[0].textContent).toContain('<img src=x');
  });

  it('draws a part of ten thousand runs, and says which part', async () => {
    await show(client => {
      client.rows = manyRuns(10_000);
    });
    expect(rows().length).toBeLessThan(60);
    expect(rows()[0].getAttribute('aria-setsize')).toBe('10000');
    expect(rows()[0].getAttribute('aria-posinset')).toBe('1');
    expect(screen.getByText('10000 runs')).toBeTruthy();
    await act(async () => {
      list().scrollTop = 300_000;
      fireEvent.scroll(list());
      await settle();
    });
    expect(rows().length).toBeLessThan(60);
    const row = rows()[20];
    const index = Number(row.getAttribute('aria-posinset')) - 1;
    expect(index).toBeGreaterThan(3000);
    expect(row.textContent).toContain(`Run number ${10_000 - index - 1}`);
  });

  it('is used by the keyboard', async () => {
    const { executed, model, onMenu } = await show(client => {
      client.rows = manyRuns(1000);
    });
    const active = () =>
      document.getElementById(list().getAttribute('aria-activedescendant')!)
        ?.dataset.run;
    fireEvent.keyDown(list(), { key: 'ArrowDown' });
    expect(active()).toBe('run-999');
    fireEvent.keyDown(list(), { key: 'ArrowDown' });
    expect(active()).toBe('run-998');
    fireEvent.keyDown(list(), { key: ' ' });
    expect(model.selected).toEqual(['run-998']);
    fireEvent.keyDown(list(), { key: 'Enter' });
    expect(executed.pop()).toEqual([
      CommandIDs.openRun,
      { run: 'run-998', workspace: 'project' }
    ]);
    fireEvent.contextMenu(list());
    expect(onMenu.mock.calls[0][0].id).toBe('run-998');
    await act(async () => {
      fireEvent.keyDown(list(), { key: 'End' });
      await settle();
    });
    expect(active()).toBe('run-0');
    await act(async () => {
      fireEvent.keyDown(list(), { key: 'Home' });
      await settle();
    });
    expect(active()).toBe('run-999');
  });

  it('opens a run by a click and compares two chosen with Ctrl', async () => {
    const { executed } = await show(client => {
      client.rows = manyRuns(5);
    });
    const compare = () =>
      screen.getByRole<HTMLButtonElement>('button', { name: 'Compare' });
    fireEvent.click(rows()[1]);
    expect(executed.pop()?.[1].run).toBe('run-3');
    expect(compare().disabled).toBe(true);
    fireEvent.click(rows()[2], { ctrlKey: true });
    fireEvent.click(rows()[4], { metaKey: true });
    expect(rows()[2].getAttribute('aria-selected')).toBe('true');
    expect(compare().disabled).toBe(false);
    fireEvent.click(compare());
    expect(executed.pop()).toEqual([
      CommandIDs.compareRuns,
      { a: 'run-2', b: 'run-0', workspace: 'project' }
    ]);
    // A third takes the place of the one chosen first.
    fireEvent.click(rows()[0], { ctrlKey: true });
    expect(rows()[2].getAttribute('aria-selected')).toBe('false');
    expect(executed).toEqual([]);
  });

  it('searches on the server once typing pauses', async () => {
    const { client } = await show(client => {
      client.rows = manyRuns(5);
    });
    const box = screen.getByRole('searchbox', { name: 'Search runs' });
    client.runs.mockClear();
    fireEvent.change(box, { target: { value: 's' } });
    fireEvent.change(box, { target: { value: 'svm ' } });
    await wait(300);
    expect(client.runs).toHaveBeenCalledTimes(1);
    expect(client.runs.mock.calls[0][1]).toMatchObject({ search: 'svm' });
  });

  it('shows what is wrong with a filter beside it', async () => {
    const { client } = await show(client => {
      client.rows = manyRuns(5);
    });
    const box = screen.getByRole('textbox', { name: /^Filter runs/ });
    client.runs.mockRejectedValueOnce(
      new ApiError(400, 'invalid_where', 'There is no field acc')
    );
    fireEvent.change(box, { target: { value: 'acc > 1' } });
    await wait(300);
    const alert = screen.getByRole('alert');
    expect(alert.textContent).toBe('There is no field acc');
    expect(box.getAttribute('aria-invalid')).toBe('true');
    expect(box.getAttribute('aria-describedby')).toBe(alert.id);
    expect(rows()).toHaveLength(5);
  });

  it('finds its way back when nothing matches', async () => {
    const { client } = await show(client => {
      client.rows = manyRuns(5);
    });
    client.rows = [];
    fireEvent.change(screen.getByRole('searchbox'), {
      target: { value: 'zzz' }
    });
    await wait(300);
    expect(screen.getByText('No run matches')).toBeTruthy();
    client.rows = manyRuns(5);
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Show all runs' }));
      await settle();
    });
    expect(rows()).toHaveLength(5);
    expect(screen.getByRole<HTMLInputElement>('searchbox').value).toBe('');
  });

  it('sorts by any metric or parameter', async () => {
    const { client } = await show(client => {
      client.rows = manyRuns(5);
    });
    const menu = screen.getByRole('combobox', { name: 'Order of the runs' });
    await act(async () => {
      fireEvent.change(menu, { target: { value: 'metrics.accuracy desc' } });
      await settle();
    });
    expect(client.runs.mock.calls.pop()?.[1].sort).toBe(
      'metrics.accuracy desc'
    );
    expect(
      screen.getByRole('option', { name: 'model, lowest first' })
    ).toBeTruthy();
  });

  it('shows the metrics that the settings name', async () => {
    const { model } = await show(client => {
      client.rows = [
        aRun({ metrics: { accuracy: 0.5, loss: 1, recall: 0.25 } })
      ];
    });
    const names = () =>
      Array.from(
        rows()[0].querySelectorAll('.jp-DotscienceRuns-metricName'),
        node => node.textContent
      );
    expect(names()).toEqual(['accuracy', 'loss']);
    act(() => model.setMetrics(['recall', 'none']));
    expect(names()).toEqual(['recall']);
    // What the list is sorted by is shown as well.
    await act(async () => {
      model.runs.setFilter({ sort: 'parameters.model asc' });
      await settle();
    });
    expect(names()).toEqual(['model', 'recall']);
  });

  it('puts a new run on top and says so, keeping the place', async () => {
    const { client, events } = await show(client => {
      client.rows = manyRuns(1000);
    });
    await act(async () => {
      list().scrollTop = 30_000;
      fireEvent.scroll(list());
      await settle();
    });
    const before = list().scrollTop;
    const middle = rows()[20].dataset.run;
    const place = rows()[20].style.transform;
    client.rows = [
      aRun({ id: 'new', description: 'Fresh one' }),
      ...client.rows
    ];
    await act(async () => {
      events.stream.emit(anEvent({ runs: ['new'], total_runs: 1 }));
      await settle();
      await settle();
    });
    expect(screen.getByText('New run: Fresh one')).toBeTruthy();
    const height = list().scrollTop - before;
    expect(height).toBeGreaterThan(0);
    const moved = rows().find(row => row.dataset.run === middle);
    const offset = (text: string) => Number(/-?\d+/.exec(text)?.[0]);
    expect(offset(moved!.style.transform) - offset(place)).toBe(height);
  });

  it('shows a new run at once to who looks at the top', async () => {
    const { client, events } = await show(client => {
      client.rows = manyRuns(3);
    });
    client.rows = [aRun({ id: 'new', status: 'failed' }), ...client.rows];
    await act(async () => {
      events.stream.emit(anEvent({ runs: ['new'], total_runs: 1 }));
      await settle();
    });
    expect(rows()[0].dataset.run).toBe('new');
    expect(rows()[0].className).toContain('jp-mod-fresh');
    expect(screen.getByText('New run: Train an SVM, failed')).toBeTruthy();
  });

  it('asks for nothing while nobody looks, and then for what was missed', async () => {
    const { client, events, model } = await show(client => {
      client.rows = manyRuns(3);
    });
    client.runs.mockClear();
    model.isVisible = false;
    client.rows = manyRuns(4);
    await act(async () => {
      events.stream.emit(anEvent({ runs: ['run-3'], total_runs: 1 }));
      await settle();
    });
    expect(client.runs).not.toHaveBeenCalled();
    await act(async () => {
      model.isVisible = true;
      await settle();
    });
    expect(rows()).toHaveLength(4);
  });

  it('shows the changed files and problems on demand', async () => {
    await show(client => {
      client.rows = manyRuns(1);
      client.state = aStatus({
        status: 'error',
        error_detail: [
          {
            type: 'record',
            notebook: 'a.ipynb',
            cell: 3,
            message: 'The record is broken.'
          }
        ],
        changed_files: [
          {
            filename: 'data/x.csv',
            file_status: 'modified',
            size: 3,
            old_filename: null
          }
        ],
        more_changed_files: 7
      });
    });
    const state = screen.getByRole('button', { name: '1 problem' });
    expect(state.getAttribute('aria-expanded')).toBe('false');
    fireEvent.click(state);
    const details = screen.getByRole('group', { name: 'Details of the state' });
    expect(details.textContent).toContain('a.ipynb, cell 4: The record is');
    expect(details.textContent).toContain('modified data/x.csv');
    expect(details.textContent).toContain('and 7 more');
  });

  it('commits with a description', async () => {
    const { executed } = await show(client => {
      client.state = aStatus({
        status: 'changed',
        changed_files: [
          { filename: 'a', file_status: 'added', size: 1, old_filename: null }
        ],
        more_changed_files: 1
      });
    });
    expect(screen.getByText('2 changed files')).toBeTruthy();
    const box = screen.getByLabelText<HTMLInputElement>(
      'Description of the commit'
    );
    fireEvent.change(box, { target: { value: 'Cleaned the data' } });
    await act(async () => {
      fireEvent.submit(box.form!);
      await settle();
    });
    expect(executed).toEqual([
      [CommandIDs.commit, { description: 'Cleaned the data' }]
    ]);
    expect(box.value).toBe('');
  });

  it('starts anew in another workspace', async () => {
    const { client, tracker, model } = await show(client => {
      client.rows = manyRuns(5);
    });
    act(() => model.toggle('run-1'));
    client.answer = {
      ...client.answer,
      workspace: aWorkspace({ id: 'w2', path: 'b', name: 'other' })
    };
    client.rows = manyRuns(2);
    await act(async () => {
      await tracker.refresh();
      await settle();
    });
    expect(screen.getByRole('heading', { name: 'other' })).toBeTruthy();
    expect(rows()).toHaveLength(2);
    expect(model.selected).toEqual([]);
  });
});

describe('ErrorBoundary', () => {
  it('stands in for what cannot be drawn', () => {
    const error = jest.spyOn(console, 'error').mockImplementation();
    let isBroken = true;
    const Part = () => {
      if (isBroken) {
        throw new Error('no such thing');
      }
      return <p>drawn</p>;
    };
    render(
      <ErrorBoundary trans={trans}>
        <Part />
      </ErrorBoundary>
    );
    expect(screen.getByRole('alert').textContent).toContain('no such thing');
    isBroken = false;
    fireEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(screen.getByText('drawn')).toBeTruthy();
    error.mockRestore();
  });
});

describe('engineText', () => {
  it('says what freezes the files and what it is doing', () => {
    expect(engineText(aWorkspace({ engine: 'zfs' }), trans)).toBe(
      'Snapshot engine: zfs, told of changes'
    );
    const engine_state = { watching: false, put_off: true };
    expect(engineText(aWorkspace({ engine_state }), trans)).toBe(
      'Snapshot engine: embedded; some work is done in the background'
    );
    // a server that is older than the page
    const older = { ...aWorkspace(), engine_state: undefined } as any;
    expect(engineText(older, trans)).toContain('embedded');
  });
});

describe('WorkspaceStatusItem', () => {
  it('is there only in a workspace', async () => {
    const client = new FakeClient();
    client.answer = { workspace: null, suggested_path: '', reason: '' };
    const tracker = new WorkspaceTracker({ client: client.client, settle: 0 });
    const item = new WorkspaceStatusItem(tracker, new CommandRegistry(), trans);
    const told = jest.fn();
    item.activeChanged.connect(told);
    await tracker.refresh();
    expect(item.isActive).toBe(false);
    client.answer = { ...client.answer, workspace: aWorkspace() };
    await tracker.refresh();
    expect(item.isActive).toBe(true);
    expect(told).toHaveBeenCalledTimes(1);
    item.dispose();
    tracker.dispose();
  });
});
