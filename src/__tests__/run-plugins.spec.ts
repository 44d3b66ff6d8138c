// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { MainAreaWidget } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { CommandRegistry } from '@lumino/commands';
import type { Widget } from '@lumino/widgets';
import { waitFor } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import { parseDrivePath } from '../drive/paths';
import comparePlugin from '../plugins/compare';
import { openPlugin } from '../plugins/drive';
import runPlugin from '../plugins/run';
import type { RunWidget } from '../run/widget';
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
import { anArea } from './utils';

function start(answers: Answers = {}) {
  const { client, asked } = makeClient({
    'v1/workspace': { workspace: { path: 'team/iris' } },
    [`v1/runs/${RUN_A}`]: makeRun(),
    [`v1/runs/${RUN_B}`]: makeRun({ id: RUN_B, commit: COMMIT_B }),
    'v1/diff': { old: COMMIT_A, new: COMMIT_B, items: [], total: 0 },
    [`v1/commits/${COMMIT_A}/restore`]: { path: 'x', files: 2 },
    ...answers
  });
  const commands = new CommandRegistry();
  const added: Widget[] = [];
  const app = {
    commands,
    shell: {
      add: anArea(added),
      activateById: jest.fn()
    }
  } as any;
  const workspaces = {
    client,
    path: 'team/iris/sub',
    workspace: null,
    runsChanged: new Signal<object, unknown>({}),
    liveChanged: new Signal<object, unknown>({}),
    elsewhereChanged: new Signal<object, unknown>({})
  } as any;
  const palette = { addItem: jest.fn() };
  const documents = { openOrReveal: jest.fn() };
  void runPlugin.activate(app, workspaces, palette, null, null, null, null);
  void comparePlugin.activate(app, workspaces, palette, null, null, null);
  void openPlugin.activate(app, workspaces, documents, palette, null);
  return { commands, added, app, workspaces, palette, documents, asked };
}

describe('a run that is under way', () => {
  it('is followed, and becomes an ordinary one when it is published', async () => {
    let isPublished = false;
    let last = 0.5;
    const missing = () => json({ code: 'not_found', message: 'No run.' }, 404);
    const aLiveRun = () => ({
      id: RUN_A,
      state: 'running',
      description: 'a slow one',
      author: 'Ada',
      workload_file: 'train.py',
      started: '2026-03-04T05:06:07Z',
      updated: '2026-03-04T05:07:07Z',
      parameters: { lr: 0.01 },
      metrics: {},
      labels: {},
      series: [{ name: 'loss', count: 1, last, step: 1 }]
    });
    const { commands, added, asked, workspaces } = start({
      [`v1/runs/${RUN_A}`]: () => (isPublished ? json(makeRun()) : missing()),
      'v1/live': () => json({ items: isPublished ? [] : [aLiveRun()] })
    });
    await commands.execute(CommandIDs.openRun, { run: RUN_A });
    const [tab] = added as MainAreaWidget<RunWidget>[];
    const { model } = tab.content;
    const wait = { timeout: 5000 };
    await waitFor(() => expect(tab.title.label).toBe('a slow one'), wait);
    expect(model.live?.state).toBe('running');

    last = 0.25;
    const event = { action: 'live', workspace: 'team/iris' };
    workspaces.liveChanged.emit(event);
    await waitFor(() => expect(model.live?.series[0].last).toBe(0.25), wait);
    const before = asked.length;
    workspaces.elsewhereChanged.emit({ ...event, workspace: 'team/other' });
    expect(asked).toHaveLength(before);

    isPublished = true;
    workspaces.elsewhereChanged.emit({ ...event, action: 'committed' });
    await waitFor(() => expect(tab.title.label).toBe('train the model'), wait);
    expect(model.live).toBeNull();
    workspaces.liveChanged.emit(event);
    expect(asked.filter(({ path }) => path === 'v1/live')).toHaveLength(2);
    tab.dispose();
  });
});

describe('commands', () => {
  it('are described, and those that can ask are in the palette', async () => {
    const { commands, palette } = start();
    const ids = [
      CommandIDs.openRun,
      CommandIDs.restoreRun,
      CommandIDs.compareRuns,
      CommandIDs.openNotebookAtRun,
      CommandIDs.openFileAtCommit
    ];
    expect(commands.listCommands().sort()).toEqual([...ids].sort());
    for (const id of ids) {
      expect(commands.label(id)).not.toBe('');
      expect(commands.caption(id)).not.toBe('');
      const { args } = await commands.describedBy(id);
      expect(args?.properties).toHaveProperty('workspace');
    }
    expect(
      palette.addItem.mock.calls.map(([{ command }]) => command).sort()
    ).toEqual(ids.filter(id => id !== CommandIDs.openFileAtCommit).sort());
  });

  it('open one tab a run', async () => {
    const { commands, added, app, asked } = start();
    await commands.execute(CommandIDs.openRun, { run: RUN_A });
    await commands.execute(CommandIDs.openRun, { run: RUN_A });
    await commands.execute(CommandIDs.openRun, {
      run: RUN_B,
      workspace: 'elsewhere'
    });
    expect(added).toHaveLength(2);
    expect(
      app.shell.activateById.mock.calls.map(([id]: [string]) => id)
    ).toEqual([added[0].id, added[0].id, added[1].id]);
    await waitFor(() => expect(asked).toHaveLength(2));
    expect(asked.map(({ query }) => query.get('path'))).toEqual([
      'team/iris/sub',
      'elsewhere'
    ]);
    await waitFor(() => expect(added[0].title.label).toBe('train the model'));
    added.forEach(widget => widget.dispose());
  });

  it('take the start of an id for the whole', async () => {
    const { commands, added } = start({ 'v1/runs/1111': makeRun() });
    await commands.execute(CommandIDs.openRun, { run: '1111' });
    await commands.execute(CommandIDs.openRun, { run: RUN_A });
    expect(added.map(({ id }) => id)).toEqual([`dotscience-run-${RUN_A}`]);
    added[0].dispose();
  });

  it('find a run that was committed after its tab was opened', async () => {
    const answers: Answers = {};
    const { commands, added, workspaces } = start(answers);
    const late = '44444444-dddd-4ddd-8ddd-444444444444';
    let there = false;
    const { client, asked } = makeClient({
      [`v1/runs/${late}`]: () =>
        there
          ? new Response(JSON.stringify(makeRun({ id: late })))
          : new Response('{"code":"not_found","message":"none"}', {
              status: 404
            })
    });
    workspaces.client = client;
    await commands.execute(CommandIDs.openRun, { run: late });
    await waitFor(() => expect(asked).toHaveLength(1));
    await waitFor(() =>
      expect((added[0] as any).content.model.isMissing).toBe(true)
    );
    there = true;
    workspaces.runsChanged.emit(null);
    await waitFor(() => expect(added[0].title.label).toBe('train the model'));
    added[0].dispose();
  });

  it('open a comparison once for the same two runs', async () => {
    const { commands, added } = start();
    await commands.execute(CommandIDs.compareRuns, { a: RUN_A, b: RUN_B });
    await commands.execute(CommandIDs.compareRuns, { a: RUN_A, b: RUN_B });
    expect(added).toHaveLength(1);
    expect(added[0].title.label).toBe('Compare 11111111 with 22222222');
    added[0].dispose();
  });

  it('open the notebook as of a run, without a kernel', async () => {
    const { commands, documents } = start();
    await commands.execute(CommandIDs.openNotebookAtRun, { run: RUN_A });
    const [path, factory, kernel, , preference] =
      documents.openOrReveal.mock.calls[0];
    expect(parseDrivePath(path)).toEqual({
      workspace: 'team/iris',
      commit: COMMIT_A,
      path: 'notebooks/train.ipynb'
    });
    expect(factory).toBe('Notebook');
    expect(kernel).toBeUndefined();
    expect(preference).toEqual({
      shouldStart: false,
      canStart: false,
      autoStartDefault: false
    });
  });

  it('open a script in the editor', async () => {
    const { commands, documents } = start({
      [`v1/runs/${RUN_A}`]: makeRun({ workload_file: 'train.py' })
    });
    await commands.execute(CommandIDs.openNotebookAtRun, { run: RUN_A });
    expect(documents.openOrReveal.mock.calls[0][1]).toBe('Editor');
  });

  it('restore the files of the commit of a run', async () => {
    const { commands, asked } = start();
    const result = await commands.execute(CommandIDs.restoreRun, {
      run: RUN_A,
      to: 'team/old'
    });
    expect(result).toEqual({ path: 'x', files: 2 });
    const request = asked[asked.length - 1];
    expect(request.path).toBe(`v1/commits/${COMMIT_A}/restore`);
    expect(request.init.method).toBe('POST');
    expect(JSON.parse(String(request.init.body))).toEqual({
      to: 'team/old',
      paths: []
    });
    expect(request.query.get('path')).toBe('team/iris');
  });
});
