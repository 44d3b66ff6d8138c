// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { waitFor } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import { toDrivePath } from '../drive/paths';
import { placeOf } from '../history/place';
import plugin from '../plugins/history';
import { EVIL, aHistory, aVersion } from './history.fixtures';
import { COMMIT_A, makeClient } from './run.fixtures';
import { anArea } from './utils';

const WORKSPACE = { path: 'team/iris', prefix: '' };

const contents = {
  driveName: (path: string) => path.match(/^(\w+):/)?.[1] ?? '',
  localPath: (path: string) => path.replace(/^\w+:/, ''),
  get: jest.fn(async () => ({ last_modified: '2026-03-04T05:06:07Z' }))
};

function start(answers: Record<string, unknown> = {}) {
  const { client, asked } = makeClient({
    'v1/workspace': { workspace: WORKSPACE },
    'v1/history': aHistory([aVersion()]),
    [`v1/commits/${COMMIT_A}`]: {
      id: COMMIT_A,
      created: '2026-02-03T04:05:06Z',
      message: `${EVIL}\nmore`
    },
    [`v1/commits/${COMMIT_A}/scratch-copy`]: { path: 'team/iris/a-1.txt' },
    ...answers
  });
  const commands = new CommandRegistry();
  const added: Widget[] = [];
  const app = {
    commands,
    serviceManager: { contents },
    shell: {
      currentWidget: null,
      widgets: () => [],
      add: anArea(added),
      activateById: jest.fn()
    }
  };
  const workspaces = {
    client,
    path: 'team/iris',
    workspace: WORKSPACE,
    runsChanged: new Signal<object, unknown>({}),
    statusChanged: new Signal<object, unknown>({})
  };
  const cd = jest.fn(async () => undefined);
  const browsers = {
    tracker: {
      currentWidget: null,
      find: () => ({ id: 'filebrowser' })
    },
    createFileBrowser: jest.fn(() =>
      Object.assign(new Widget(), { model: { cd } })
    )
  };
  const documents = { openOrReveal: jest.fn() };
  const palette = { addItem: jest.fn() };
  void plugin.activate(
    app as any,
    workspaces as any,
    palette as any,
    null,
    documents as any,
    browsers as any,
    null
  );
  return { commands, added, app, asked, browsers, cd, documents, workspaces };
}

afterEach(() => Notification.dismiss());

describe('placeOf', () => {
  const tracker = (workspace: unknown) =>
    ({ client: { workspace: async () => ({ workspace }) } }) as any;

  it('knows files of the server, of commits, and of no workspace', async () => {
    const place = (path: string, workspace: unknown = WORKSPACE) =>
      placeOf(path, contents as any, tracker(workspace));
    expect(await place('team/iris/a\\b.txt')).toMatchObject({
      file: 'a\\\\b.txt',
      contentsPath: 'team/iris/a\\b.txt'
    });
    const frozen = toDrivePath({
      workspace: 'team/iris',
      commit: COMMIT_A,
      path: 'sub/a.txt'
    });
    expect(await place(frozen)).toMatchObject({
      file: 'sub/a.txt',
      contentsPath: 'team/iris/sub/a.txt'
    });
    expect(await place('a.txt', null)).toBeNull();
    expect(await place('s3:bucket/a.txt')).toBeNull();
    expect(
      await place('sub/a.txt', { path: '', prefix: 'above' })
    ).toMatchObject({ file: 'above/sub/a.txt' });
  });
});

describe('the commands of histories', () => {
  it('are described', async () => {
    const { commands } = start();
    for (const id of commands.listCommands()) {
      expect(commands.label(id)).not.toBe('');
      expect(commands.caption(id)).not.toBe('');
      const { args } = await commands.describedBy(id);
      expect(args?.properties).toBeDefined();
    }
    expect(commands.listCommands()).toHaveLength(3);
  });

  it('open one tab a file, which reads itself anew', async () => {
    const { added, app, asked, commands, workspaces } = start();
    const reads = () =>
      asked.filter(({ path }) => path === 'v1/history').length;
    const file = 'team/iris/model.bin';
    await commands.execute(CommandIDs.openHistory, { file });
    await commands.execute(CommandIDs.openHistory, { file });
    expect(added).toHaveLength(1);
    expect(app.shell.activateById).toHaveBeenCalledTimes(2);
    expect(added[0].title.label).toBe('History of model.bin');
    await waitFor(() => expect(reads()).toBe(1));
    await waitFor(() =>
      expect((added[0] as any).content.model.isLoading).toBe(false)
    );
    workspaces.runsChanged.emit(null);
    await waitFor(() => expect(reads()).toBe(2));
    added[0].dispose();
  });

  it('say that a file is in no workspace, or that there is none', async () => {
    const { added, commands } = start({ 'v1/workspace': { workspace: null } });
    await commands.execute(CommandIDs.openHistory, { file: 'a.txt' });
    await commands.execute(CommandIDs.openHistory);
    expect(added).toHaveLength(0);
    expect(
      Notification.manager.notifications.map(({ message }) => message)
    ).toEqual([
      expect.stringContaining('Open a file'),
      expect.stringContaining('a.txt is in no workspace')
    ]);
  });

  it('open a scratch copy', async () => {
    const { commands, documents } = start();
    const args = { commit: COMMIT_A, path: 'a.txt' };
    expect(await commands.execute(CommandIDs.scratchCopy, args)).toBe(
      'team/iris/a-1.txt'
    );
    expect(documents.openOrReveal).toHaveBeenCalledWith('team/iris/a-1.txt');
  });

  it('bring nothing back to where no workspace is', async () => {
    const { commands } = start({ 'v1/workspace': { workspace: null } });
    const args = { commit: COMMIT_A, path: 'a.txt' };
    expect(await commands.execute(CommandIDs.bringBack, args)).toBe(false);
    expect(Notification.manager.notifications[0].message).toContain(
      'not tracked'
    );
  });
});
