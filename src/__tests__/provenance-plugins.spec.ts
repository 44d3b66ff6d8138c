// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import { waitFor } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import { toDrivePath } from '../drive/paths';
import provenancePlugin from '../plugins/provenance';
import { aGraph, aPipeline } from './provenance-fixtures';
import type { Answers } from './run.fixtures';
import { COMMIT_A, json, makeClient } from './run.fixtures';
import { anArea } from './utils';

jest.mock('@xyflow/react', () => ({
  MarkerType: {},
  Position: {},
  ReactFlow: () => null,
  ReactFlowProvider: () => null,
  useReactFlow: jest.fn(),
  useStore: jest.fn()
}));

function start(answers: Answers = {}) {
  const { nodes, edges, model } = aPipeline();
  const { client, asked } = makeClient({
    'v1/workspace': { workspace: { path: 'team/iris', prefix: '' } },
    'v1/provenance': aGraph(nodes, edges, { start: [model.id] }),
    'v1/provenance/compare': {},
    ...answers
  });
  const commands = new CommandRegistry();
  const added: Widget[] = [];
  const selected: { path: string; type: string }[] = [];
  const app = {
    commands,
    shell: {
      add: anArea(added),
      activateById: jest.fn(),
      widgets: () => []
    },
    contextMenuHitTest: () => undefined,
    serviceManager: {
      contents: {
        driveName: (path: string) =>
          path.includes(':') ? path.split(':')[0] : '',
        localPath: (path: string) => path
      }
    }
  } as any;
  const workspaces = {
    client,
    path: 'team/iris/sub',
    workspace: { path: 'team/iris' },
    runsChanged: new Signal<object, unknown>({})
  } as any;
  const browsers = {
    tracker: { currentWidget: { selectedItems: () => selected } }
  } as any;
  void provenancePlugin.activate(
    app,
    workspaces,
    { addItem: jest.fn() },
    null,
    null,
    null,
    browsers,
    null
  );
  const queries = () =>
    asked
      .filter(({ path }) => path === 'v1/provenance')
      .map(({ query }) => Object.fromEntries(query));
  return { commands, added, app, workspaces, asked, queries, selected };
}

describe('commands', () => {
  it('are described', async () => {
    const { commands } = start();
    for (const id of [
      CommandIDs.openProvenance,
      CommandIDs.compareLineages,
      CommandIDs.exportProvenance,
      CommandIDs.whereFrom
    ]) {
      expect(commands.label(id)).not.toBe('');
      expect(commands.caption(id)).not.toBe('');
      expect((await commands.describedBy(id)).args).not.toBeNull();
    }
  });

  it('open one tab for the same question', async () => {
    const { commands, added, queries } = start();
    const args = { start: 'model:digits', direction: 'up', depth: 3 };
    await commands.execute(CommandIDs.openProvenance, args);
    await commands.execute(CommandIDs.openProvenance, args);
    await commands.execute(CommandIDs.openProvenance, {
      direction: 'sideways'
    });
    expect(added).toHaveLength(2);
    expect(added[0].title.label).toBe('Provenance of model digits');
    await waitFor(() => expect(queries()).toHaveLength(2));
    expect(queries()[0]).toMatchObject({
      path: 'team/iris',
      start: 'model:digits',
      direction: 'up',
      depth: '3',
      limit: '2000'
    });
    expect(queries()[1].direction).toBe('both');
    added.forEach(widget => widget.dispose());
  });

  it('add new runs to what is shown', async () => {
    const { commands, added, queries, workspaces } = start();
    await commands.execute(CommandIDs.openProvenance, {
      start: 'model:digits'
    });
    await waitFor(() =>
      expect((added[0] as any).content.model.graph).not.toBeNull()
    );
    workspaces.runsChanged.emit(null);
    await waitFor(() => expect(queries()).toHaveLength(2));
    expect(queries()[1].start).toBe(aPipeline().model.id);
    added[0].dispose();
  });

  it('compare lineages', async () => {
    const { commands, added, asked } = start();
    await commands.execute(CommandIDs.compareLineages, {
      a: 'model:one',
      b: `file:x@${COMMIT_A}`
    });
    expect(added[0].title.label).toBe('Lineages of one and x');
    await waitFor(() =>
      expect(asked.map(({ path }) => path)).toContain('v1/provenance/compare')
    );
    added[0].dispose();
  });
});

describe('where a file came from', () => {
  const info = jest.spyOn(Notification, 'info').mockReturnValue('');
  const error = jest.spyOn(Notification, 'error').mockReturnValue('');
  beforeEach(() => {
    info.mockClear();
    error.mockClear();
  });

  it('is shown for the chosen file of a workspace', async () => {
    const { commands, added, queries, selected } = start();
    expect(commands.isVisible(CommandIDs.whereFrom)).toBe(false);
    selected.push({ path: 'team/iris/data/a.csv', type: 'file' });
    expect(commands.isVisible(CommandIDs.whereFrom)).toBe(true);
    await commands.execute(CommandIDs.whereFrom);
    await waitFor(() => expect(queries()).toHaveLength(1));
    expect(queries()[0]).toMatchObject({
      path: 'team/iris',
      start: 'file:data/a.csv',
      direction: 'up'
    });
    added[0].dispose();
  });

  it('is asked of files only', () => {
    const { commands, selected } = start();
    selected.push({ path: 'team/iris/data', type: 'directory' });
    expect(commands.isVisible(CommandIDs.whereFrom)).toBe(false);
    expect(info).not.toHaveBeenCalled();
  });

  it('is shown for the version of a file of a commit', async () => {
    const { commands, added, queries } = start();
    await commands.execute(CommandIDs.whereFrom, {
      file: toDrivePath({
        workspace: 'team/iris',
        commit: COMMIT_A,
        path: 'data/a.csv'
      })
    });
    await waitFor(() => expect(queries()).toHaveLength(1));
    expect(queries()[0].start).toBe(`file:data/a.csv@${COMMIT_A}`);
    added[0].dispose();
  });

  it('is said to be unknown where the folder is not tracked', async () => {
    const { commands, added } = start({ 'v1/workspace': { workspace: null } });
    await commands.execute(CommandIDs.whereFrom, { file: 'plain/a.csv' });
    expect(added).toHaveLength(0);
    expect(info.mock.calls[0][0]).toContain('is not tracked');
  });

  it('is said to be unknown for other drives, and why when it fails', async () => {
    const { commands, added } = start({
      'v1/workspace': () => json({ code: 'x', message: 'disk on fire' }, 500)
    });
    await commands.execute(CommandIDs.whereFrom, { file: 'S3:bucket/a.csv' });
    expect(info.mock.calls[0][0]).toContain('not a file of this server');
    await commands.execute(CommandIDs.whereFrom, { file: 'elsewhere/a.csv' });
    expect(error.mock.calls[0][0]).toContain('disk on fire');
    expect(added).toHaveLength(0);
  });
});
