// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { ApiError } from '../api/client';
import type { CommitResult } from '../api/schema';
import { CommandIDs } from '../commands';
import { FolderFollower, WORKSPACE } from '../follow';
import { WorkspaceTracker } from '../model';
import { addWorkspaceCommands } from '../workspacecommands';
import { FakeClient } from './utils';

const trans = nullTranslator.load('dotscience_jupyter');

/** Drives as the contents manager knows them. */
const contents = {
  driveName: (path: string) => (path.includes(':') ? path.split(':')[0] : ''),
  localPath: (path: string) => path.split(':').pop()!
};

function aDocument(path: string, fields: object = {}) {
  const owner = {};
  return {
    path,
    isDisposed: false,
    model: { dirty: true, readOnly: false },
    contentsModel: { writable: true },
    pathChanged: new Signal<any, string>(owner),
    save: jest.fn(async () => undefined),
    ...fields
  };
}

describe('commands of the workspace', () => {
  let client: FakeClient & { commit: jest.Mock };
  let tracker: WorkspaceTracker;
  let commands: CommandRegistry;
  let open: ReturnType<typeof aDocument>[];

  const messages = () =>
    Notification.manager.notifications.map(({ type, message }) => [
      type,
      message
    ]);

  beforeEach(async () => {
    const result: CommitResult = { commit: null, message: '' };
    client = Object.assign(new FakeClient(), {
      commit: jest.fn(async () => result)
    });
    tracker = new WorkspaceTracker({ client: client.client, settle: 0 });
    commands = new CommandRegistry();
    open = [];
    const widgets = new Map<Widget, unknown>();
    const app = {
      commands,
      shell: {
        widgets: () => {
          for (const each of open) {
            widgets.set(new Widget(), each);
          }
          return widgets.keys();
        }
      },
      serviceManager: { contents }
    };
    const documents = {
      contextForWidget: (widget: Widget) => widgets.get(widget)
    };
    addWorkspaceCommands(app as any, {
      documents: documents as any,
      palette: null,
      tracker,
      trans
    });
    await tracker.refresh();
  });

  afterEach(() => {
    Notification.dismiss();
    tracker.dispose();
  });

  it('describe their arguments', async () => {
    for (const id of commands.listCommands()) {
      const { args } = await commands.describedBy(id);
      expect(args?.type).toBe('object');
      expect(commands.label(id)).not.toBe('');
    }
  });

  it('save the documents of the workspace, then commit', async () => {
    const order: string[] = [];
    const save = (name: string) => ({
      save: jest.fn(async () => void order.push(name))
    });
    client.commit.mockImplementation(async (path, description) => {
      order.push(`commit ${path}: ${description}`);
      return { commit: { id: 'abcdef0123', runs: ['r'] }, message: '' };
    });
    open = [
      aDocument('project/a.ipynb', save('a')),
      aDocument('RTC:project/sub/b.py', save('b')),
      aDocument('elsewhere/c.py', save('c')),
      aDocument('dotscience-run:project/d.py', save('d')),
      aDocument('project/e.py', {
        ...save('e'),
        model: { dirty: false, readOnly: false }
      }),
      aDocument('project/f.py', {
        ...save('f'),
        contentsModel: { writable: false }
      })
    ];
    await commands.execute(CommandIDs.commit, { description: ' why ' });
    expect(order).toEqual(['a', 'b', 'commit project: why']);
    expect(messages()).toEqual([
      ['success', 'Committed as abcdef01, with 1 run.']
    ]);
  });

  it('do not commit what could not be saved', async () => {
    open = [
      aDocument('project/a.ipynb', {
        save: jest.fn(() => Promise.reject(new Error('x')))
      })
    ];
    const done = await commands.execute(CommandIDs.commit, { description: '' });
    expect(done).toBeNull();
    expect(client.commit).not.toHaveBeenCalled();
    expect(messages()).toEqual([
      ['error', 'Not committed: a.ipynb could not be saved.']
    ]);
  });

  it('say when nothing had changed, and when it failed', async () => {
    await commands.execute(CommandIDs.commit, { description: '' });
    client.commit.mockRejectedValue(new ApiError(409, 'conflict', 'Busy.'));
    await commands.execute(CommandIDs.commit, { description: '' });
    expect(messages()).toEqual(
      expect.arrayContaining([
        ['success', 'Nothing had changed since the newest commit.'],
        ['error', 'Not committed: Busy.']
      ])
    );
  });

  it('track the suggested folder', async () => {
    client.answer = { workspace: null, suggested_path: 'repo', reason: '' };
    await tracker.refresh();
    expect(commands.isEnabled(CommandIDs.commit)).toBe(false);
    expect(commands.isEnabled(CommandIDs.startTracking)).toBe(true);
    await commands.execute(CommandIDs.startTracking);
    expect(client.createWorkspace).toHaveBeenCalledWith('repo', false);
  });

  it('tell why a folder is not tracked', async () => {
    client.createWorkspace.mockRejectedValue(
      new ApiError(409, 'refused', 'This is your home folder.')
    );
    await commands.execute(CommandIDs.startTracking, { path: '' });
    expect(messages()).toEqual([
      ['error', 'The folder is not tracked: This is your home folder.']
    ]);
  });
});

describe('FolderFollower', () => {
  it('follows the document at hand, else the file browser', async () => {
    const owner = {};
    const currentChanged = new Signal<any, any>(owner);
    const pathChanged = new Signal<any, any>(owner);
    const browser = {
      model: { path: 'home', restored: Promise.resolve(), pathChanged }
    };
    const documents = new Map<Widget, ReturnType<typeof aDocument>>();
    const shell = { currentWidget: null as Widget | null, currentChanged };
    const folders: string[] = [];
    const follower = new FolderFollower({
      shell: shell as any,
      browser: browser as any,
      contents: contents as any,
      documents: {
        contextForWidget: (widget: Widget) => documents.get(widget)
      } as any,
      onFolder: path => folders.push(path)
    });
    const show = (id: string, path?: string, workspace?: string) => {
      const widget = new Widget();
      widget.id = id;
      if (workspace !== undefined) {
        widget.node.dataset[WORKSPACE] = workspace;
      }
      if (path) {
        documents.set(widget, aDocument(path));
      }
      shell.currentWidget = widget;
      currentChanged.emit({});
      return documents.get(widget);
    };
    await follower.start(Promise.resolve());
    expect(folders.splice(0)).toEqual(['home']);
    const notebook = show('a', 'project/sub/train.ipynb')!;
    expect(folders.splice(0)).toEqual(['project/sub']);
    notebook.path = 'project/moved.ipynb';
    notebook.pathChanged.emit(notebook.path);
    expect(folders.splice(0)).toEqual(['project']);
    show('dotscience-run-1', undefined, 'other/workspace');
    expect(folders.splice(0)).toEqual(['other/workspace']);
    // Files of the past do not take the panel elsewhere.
    show('b', 'dotscience:w/train.ipynb');
    expect(folders).toEqual([]);
    show('launcher');
    expect(folders.splice(0)).toEqual(['home']);
    browser.model.path = 'RTC:other';
    pathChanged.emit({});
    expect(folders.splice(0)).toEqual(['other']);
    follower.dispose();
    pathChanged.emit({});
    expect(folders).toEqual([]);
  });

  it('begins somewhere even when a file of the past is at hand', async () => {
    const owner = {};
    const widget = new Widget();
    const frozen = aDocument('dotscience:w/train.ipynb');
    const folders: string[] = [];
    const follower = new FolderFollower({
      shell: {
        currentWidget: widget,
        currentChanged: new Signal<any, any>(owner)
      } as any,
      browser: null,
      contents: contents as any,
      documents: { contextForWidget: () => frozen } as any,
      onFolder: path => folders.push(path)
    });
    await follower.start(Promise.resolve());
    expect(folders).toEqual(['']);
  });
});
