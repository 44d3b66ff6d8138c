// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import { fireEvent, screen, waitFor } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import differencePlugin from '../plugins/difference';
import mergePlugin from '../plugins/merge';
import { EVENT_SCHEMA } from '../tokens';
import { aComparison, aFile, aFileComparison } from './difference.fixtures';
import { aDetail, aMerge } from './merge.fixtures';
import type { Answers } from './run.fixtures';
import { json, makeClient } from './run.fixtures';
import { anArea } from './utils';

function start(answers: Answers = {}) {
  const { client, asked } = makeClient({
    'v1/workspace': { workspace: { path: 'team/iris', prefix: '' } },
    'v1/compare': aComparison([aFile(), aFile({ path: 'z.py' })]),
    'v1/compare/file': aFileComparison(),
    'v1/merge': { merge: aMerge() },
    'v1/merge/file': aDetail(),
    ...answers
  });
  const commands = new CommandRegistry();
  const added: Widget[] = [];
  const stream = new Signal<object, unknown>({});
  const fileChanged = new Signal<object, unknown>({});
  const documents: any[] = [];
  const app = {
    commands,
    restored: Promise.resolve(),
    serviceManager: {
      contents: {
        fileChanged,
        driveName: () => '',
        localPath: (path: string) => path
      },
      events: { stream }
    },
    shell: {
      add: anArea(added),
      activateById: jest.fn(),
      widgets: () => documents
    }
  } as any;
  const workspaces = {
    client,
    path: 'team/iris/sub',
    workspace: null,
    workspaceChanged: new Signal<object, unknown>({}),
    refresh: jest.fn(async () => undefined)
  } as any;
  const palette = { addItem: jest.fn() };
  const manager = { contextForWidget: (widget: any) => widget.context };
  const activate = () => {
    void differencePlugin.activate(
      app,
      workspaces,
      palette,
      null,
      null,
      null,
      null,
      null
    );
    void mergePlugin.activate(
      app,
      workspaces,
      {
        mimeTypeService: { getMimeTypeByFilePath: () => 'text/x-python' }
      } as any,
      palette,
      null,
      manager,
      null,
      null
    );
  };
  const paths = (path: string) => asked.filter(one => one.path === path);
  const close = () => added.forEach(widget => widget.dispose());
  return {
    activate,
    added,
    app,
    asked,
    close,
    commands,
    documents,
    fileChanged,
    palette,
    paths,
    stream,
    workspaces
  };
}

describe('commands of differences and merges', () => {
  afterEach(() => {
    Notification.dismiss();
    Dialog.flush();
  });

  it('are described and in the palette', async () => {
    const { activate, commands, palette } = start();
    activate();
    const ids = [
      CommandIDs.openDifference,
      CommandIDs.showChanges,
      CommandIDs.openMerge
    ];
    expect(commands.listCommands().sort()).toEqual([...ids].sort());
    for (const id of ids) {
      expect(commands.label(id)).not.toBe('');
      expect(commands.caption(id)).not.toBe('');
      const { args } = await commands.describedBy(id);
      expect(args?.properties).toHaveProperty('workspace');
    }
    expect(palette.addItem).toHaveBeenCalledTimes(3);
  });

  it('open one tab for the same two moments, and choose the file in it', async () => {
    const { activate, added, app, close, commands, paths } = start();
    activate();
    await commands.execute(CommandIDs.showChanges);
    await commands.execute(CommandIDs.openDifference, {
      old: 'HEAD',
      new: 'now',
      file: 'z.py'
    });
    expect(added).toHaveLength(1);
    expect(app.shell.activateById).toHaveBeenCalledTimes(2);
    await waitFor(() =>
      expect(paths('v1/compare/file').pop()?.query.get('file')).toBe('z.py')
    );
    expect(paths('v1/compare')[0].query.get('path')).toBe('team/iris');
    await commands.execute(CommandIDs.openDifference, { old: 'HEAD~1' });
    expect(added).toHaveLength(2);
    close();
  });

  it('look again when the live folder changes, and only then', async () => {
    const { activate, close, commands, fileChanged, paths, stream } = start();
    activate();
    await commands.execute(CommandIDs.showChanges);
    await waitFor(() => expect(paths('v1/compare/file')).toHaveLength(1));
    const event = { schema_id: EVENT_SCHEMA, action: 'status' };
    stream.emit({ ...event, workspace: 'elsewhere' });
    stream.emit({ ...event, workspace: 'team/iris', action: 'committing' });
    fileChanged.emit({ newValue: { path: 'team/other/a.py' } });
    await new Promise(resolve => setTimeout(resolve, 400));
    expect(paths('v1/compare')).toHaveLength(1);
    stream.emit({ ...event, workspace: 'team/iris' });
    fileChanged.emit({ newValue: { path: 'team/iris/a.py' } });
    await waitFor(() => expect(paths('v1/compare')).toHaveLength(2));
    close();
    stream.emit({ ...event, workspace: 'team/iris' });
    await new Promise(resolve => setTimeout(resolve, 400));
    expect(paths('v1/compare')).toHaveLength(2);
  });

  it('go on with the merge that is under way', async () => {
    const { activate, added, close, commands, paths } = start();
    activate();
    await commands.execute(CommandIDs.openMerge, { theirs: 'ccc' });
    await commands.execute(CommandIDs.openMerge, {});
    expect(added).toHaveLength(1);
    expect(paths('v1/merge').every(({ init }) => init.method === 'GET')).toBe(
      true
    );
    expect(Notification.manager.notifications[0].message).toContain(
      'under way already'
    );
    await waitFor(() => expect(added[0].title.label).toBe('Merge (1)'));
    close();
  });

  it('do not begin a merge while something is not saved', async () => {
    const { activate, added, commands, documents, paths } = start({
      'v1/merge': { merge: null }
    });
    documents.push({
      context: {
        path: 'team/iris/a.ipynb',
        isDisposed: false,
        model: { dirty: true, readOnly: false },
        save: jest.fn(async () => undefined)
      }
    });
    activate();
    const done = commands.execute(CommandIDs.openMerge, { theirs: 'ccc' });
    const cancel = await screen.findByRole('button', {
      name: 'Cancel',
      hidden: true
    });
    expect(cancel.closest('.jp-Dialog-content')?.textContent).toContain(
      'a.ipynb'
    );
    fireEvent.click(cancel);
    await done;
    expect(added).toHaveLength(0);
    expect(paths('v1/merge')).toHaveLength(1);
    expect(documents[0].context.save).not.toHaveBeenCalled();
  });

  it('say why a merge cannot begin', async () => {
    let asked = 0;
    const { activate, added, commands } = start({
      'v1/merge': () => {
        asked += 1;
        return asked === 1
          ? json({ merge: null })
          : json({ code: 'merged', message: 'Nothing to merge.' }, 409);
      }
    });
    activate();
    await commands.execute(CommandIDs.openMerge, { theirs: 'ccc' });
    expect(added).toHaveLength(0);
    expect(Notification.manager.notifications[0].message).toBe(
      'The merge was not begun: Nothing to merge.'
    );
  });

  it('show an empty tab after a reload, without asking', async () => {
    const { activate, added, close, commands, paths } = start({
      'v1/merge': { merge: null }
    });
    activate();
    await commands.execute(CommandIDs.openMerge, { ask: false });
    await waitFor(() => expect(paths('v1/merge')).toHaveLength(1));
    expect(added).toHaveLength(1);
    close();
  });
});
