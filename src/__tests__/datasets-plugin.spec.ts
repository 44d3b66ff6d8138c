// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { configure, fireEvent, waitFor, within } from '@testing-library/dom';

import { CommandIDs } from '../commands';
import datasetsPlugin from '../plugins/datasets';
import { aDataset, aVersion, theDatasets } from './datasets.fixtures';
import { json, makeClient } from './run.fixtures';
import { EVIL } from './sync.fixtures';
import { aWorkspace } from './utils';

const HUB = 'https://hub.example.org';
const NEWER = {
  id: 'ddddeeeeffff',
  created: '2026-02-04T04:05:06Z',
  author: 'bob',
  message: 'more'
};

// what the commands do is loaded when the first one is executed
configure({ asyncUtilTimeout: 8000 });

/** A dataset of this machine. */
function known(name: string, attached = false) {
  return {
    name,
    id: name,
    folder: null,
    version: aDataset().version,
    attached,
    error: ''
  };
}

/** An error as the server gives it. */
function problem(code: string, status = 409) {
  return json({ code, message: `It is ${code}. ${EVIL}` }, status);
}

async function start(
  status = theDatasets(),
  answers: Record<string, unknown> = {}
) {
  const { client, asked } = makeClient({
    'v1/datasets': () => json(status),
    'v1/datasets/known': { items: [known('iris', true), known('mnist')] },
    'v1/datasets/versions': {
      items: [aVersion(NEWER), aVersion()],
      total: 2,
      offset: 0
    },
    'v1/sync/hubs': { items: [{ url: HUB, user: 'ada', exposed: false }] },
    ...answers
  });
  const commands = new CommandRegistry();
  const tracker = {
    client,
    connection: 'ready',
    workspace: aWorkspace({ path: 'team/iris' }) as object | null,
    workspaceChanged: new Signal<object, unknown>({}),
    datasetsChanged: new Signal<object, unknown>({}),
    runsChanged: new Signal<object, unknown>({}),
    statusChanged: new Signal<object, unknown>({})
  };
  const palette = { addItem: jest.fn() };
  const datasets = await datasetsPlugin.activate(
    { commands } as any,
    tracker as any,
    null,
    palette as any,
    null
  );
  await waitFor(() => expect(datasets.status).not.toBeNull());
  const posted = () =>
    asked
      .filter(({ init }) => init.method === 'POST')
      .map(({ path, query, init }) => [
        path.replace('v1/datasets/', ''),
        query.get('path'),
        JSON.parse(String(init.body))
      ]);
  return { asked, commands, datasets, palette, posted, tracker };
}

/** What people were told since the last time. */
function told(): string[] {
  const messages = Notification.manager.notifications.map(
    ({ message }) => message
  );
  Notification.manager.dismiss();
  return messages;
}

/** The dialog that is open, once there is one. */
async function dialog(): Promise<HTMLElement> {
  return waitFor(() => {
    const found = document.querySelector<HTMLElement>('.jp-Dialog-content');
    expect(found).not.toBeNull();
    expect(found!.querySelector('.jp-Dialog-body')?.textContent).toBeTruthy();
    return found!;
  });
}

async function fill(label: string, value: string): Promise<void> {
  const shown = await dialog();
  const field = await waitFor(() => within(shown).getByLabelText(label));
  fireEvent.change(field, { target: { value } });
}

async function press(name: string): Promise<void> {
  const shown = await dialog();
  const [button] = within(shown).getAllByText(name).reverse();
  fireEvent.click(button);
  await waitFor(() => expect(shown.isConnected).toBe(false));
}

describe('the commands of datasets', () => {
  afterEach(() => {
    Dialog.flush();
    Notification.manager.dismiss();
  });

  it('are in the palette where people can use them without arguments', async () => {
    const { commands, palette, tracker } = await start();
    expect(palette.addItem.mock.calls.map(([{ command }]) => command)).toEqual([
      CommandIDs.attachDataset,
      CommandIDs.createDataset,
      CommandIDs.restoreDatasets
    ]);
    expect(commands.isEnabled(CommandIDs.attachDataset)).toBe(true);
    tracker.workspace = null;
    expect(commands.isEnabled(CommandIDs.attachDataset)).toBe(false);
    await commands.execute(CommandIDs.restoreDatasets);
    expect(told()).toEqual(['The folder at hand is not tracked.']);
  });

  it('attach one of this machine, in a version, and ask again where that fails', async () => {
    const refusals = [problem('exists')];
    const { commands, datasets, posted } = await start(theDatasets([]), {
      'v1/datasets/attach': () => refusals.pop() ?? json(theDatasets())
    });
    const done = commands.execute(CommandIDs.attachDataset);
    const shown = await dialog();
    // what is not attached yet comes first
    await waitFor(() =>
      expect(
        within(shown).getByLabelText<HTMLSelectElement>('Dataset').value
      ).toBe('mnist')
    );
    await waitFor(() =>
      expect(shown.querySelectorAll('option').length).toBe(3 + 2 + 3)
    );
    expect(shown.textContent).toContain('iris (attached already)');
    await fill('Version', 'aaaabbbbcccc');
    await fill('Path in the workspace', ' data/in ');
    await press('Attach');
    const again = await dialog();
    await waitFor(() =>
      expect(again.querySelector('[role="alert"]')?.textContent).toContain(EVIL)
    );
    expect(again.querySelector('img')).toBeNull();
    // writing is of the live folder, so the version goes
    fireEvent.click(again.querySelector('input[type="checkbox"]')!);
    await press('Attach');
    await done;
    const body = { name: 'mnist', to: 'data/in' };
    expect(posted()).toEqual([
      [
        'attach',
        'team/iris',
        { ...body, version: 'aaaabbbbcccc', mode: 'read' }
      ],
      ['attach', 'team/iris', { ...body, version: '', mode: 'write' }]
    ]);
    expect(told()).toEqual(['The dataset is attached.']);
    expect(datasets.status).toEqual(theDatasets());
  });

  it('attach one of a hub; what goes on is told by the panel', async () => {
    const work = { activity: 'attaching', name: 'far', done: 0, total: 0 };
    const busy = { ...theDatasets([]), work };
    const { commands, datasets, posted } = await start(theDatasets([]), {
      'v1/datasets/hub': { items: [{ project: 'p1', name: 'bob/far' }] },
      'v1/datasets/attach': busy
    });
    const done = commands.execute(CommandIDs.attachDataset);
    await fill('Where it is', HUB);
    await press('Attach');
    // nothing was chosen
    await waitFor(async () =>
      expect((await dialog()).textContent).toContain('Choose a dataset.')
    );
    await waitFor(async () =>
      expect((await dialog()).textContent).toContain('bob/far')
    );
    await fill('Dataset', 'p1');
    const name = within(await dialog()).getByLabelText<HTMLInputElement>(
      'What it is called here'
    );
    await waitFor(() => expect(name.placeholder).toBe('far'));
    await press('Attach');
    await done;
    expect(posted()).toEqual([
      [
        'attach',
        'team/iris',
        { name: '', url: HUB, project: 'p1', version: '', to: '', mode: 'read' }
      ]
    ]);
    expect(told()).toEqual([]);
    expect(datasets.status).toEqual(busy);
  });

  it('log in on another hub first', async () => {
    const { commands, posted } = await start(theDatasets([]), {
      'v1/datasets/known': { items: [] }
    });
    const done = commands.execute(CommandIDs.attachDataset);
    expect((await dialog()).textContent).toContain(
      'no dataset on this machine'
    );
    await fill('Where it is', 'other');
    await press('Attach');
    await waitFor(async () =>
      expect(within(await dialog()).getByLabelText('Password')).toBeTruthy()
    );
    await press('Cancel');
    await waitFor(async () =>
      expect(within(await dialog()).getByLabelText('Where it is')).toBeTruthy()
    );
    await press('Cancel');
    await done;
    expect(posted()).toEqual([]);
  });

  it('make a dataset of a folder', async () => {
    const { commands, posted } = await start(theDatasets([]), {
      'v1/datasets/create': theDatasets()
    });
    const done = commands.execute(CommandIDs.createDataset);
    await fill('Name', 'iris');
    await fill('Folder', 'raw/iris');
    await press('Make and Attach');
    await done;
    expect(posted()).toEqual([
      [
        'create',
        'team/iris',
        {
          name: 'iris',
          folder: 'raw/iris',
          message: 'Initial commit',
          to: '',
          mode: 'read'
        }
      ]
    ]);
    expect(told()).toEqual(['iris is a dataset now, and attached.']);
  });

  it('move to another version; what follows the newest goes on to', async () => {
    const pinned = aDataset({
      name: 'held',
      pinned: 'aaaabbbbcccc',
      newest: NEWER
    });
    const { commands, posted } = await start(
      theDatasets([aDataset({ newest: NEWER, newer: true }), pinned]),
      { 'v1/datasets/attach': theDatasets() }
    );
    const use = (args: object) =>
      commands.execute(CommandIDs.useDatasetVersion, { ...args });
    await use({ dataset: 'iris' });
    await use({ dataset: 'iris', version: 'aaaabbbbcccc' });
    expect(posted().map(([, , body]) => body)).toEqual([
      { name: 'iris', version: '', mode: 'read' },
      { name: 'iris', version: 'aaaabbbbcccc', mode: 'read' }
    ]);
    told();
    // it is not attached any more, as the last answer says
    await use({ dataset: 'held' });
    expect(told()).toEqual(['No dataset held is attached to this workspace.']);
  });

  it('detach only if that is meant, save, fetch, restore and stop', async () => {
    const { commands, posted } = await start(theDatasets(), {
      'v1/datasets/detach': theDatasets([]),
      'v1/datasets/save': () => problem('unchanged'),
      'v1/datasets/fetch': theDatasets(),
      'v1/datasets/restore': theDatasets(),
      'v1/datasets/stop': theDatasets()
    });
    const args = { dataset: 'iris' };
    let done = commands.execute(CommandIDs.detachDataset, args);
    await press('Cancel');
    await done;
    expect(posted()).toEqual([]);
    done = commands.execute(CommandIDs.saveDataset, args);
    const shown = await dialog();
    fireEvent.change(shown.querySelector('input')!, {
      target: { value: 'with b' }
    });
    await press('Save');
    await done;
    expect(told()).toEqual([`It is unchanged. ${EVIL}`]);
    await commands.execute(CommandIDs.fetchDataset, args);
    await commands.execute(CommandIDs.restoreDatasets, args);
    await commands.execute(CommandIDs.showDataset, args);
    await commands.execute(CommandIDs.stopDatasets);
    expect(told()).toEqual([
      'datasets/iris cannot be shown in a file browser here.',
      'iris is attached again.',
      'There is nothing newer on the hub.'
    ]);
    done = commands.execute(CommandIDs.detachDataset, args);
    await press('Detach');
    await done;
    expect(told()).toEqual(['iris is detached.']);
    expect(posted().map(([what, , body]) => [what, body])).toEqual([
      ['save', { name: 'iris', message: 'with b' }],
      ['fetch', { name: 'iris' }],
      ['restore', { name: 'iris' }],
      ['stop', {}],
      ['detach', { name: 'iris' }]
    ]);
  });

  it('show a folder in the file browser, where there is one', async () => {
    const { commands } = await start();
    const went = jest.fn();
    commands.addCommand('filebrowser:go-to-path', {
      describedBy: { args: {} },
      execute: args => went(args)
    });
    await commands.execute(CommandIDs.showDataset, { dataset: 'iris' });
    expect(went).toHaveBeenCalledWith({ path: 'team/iris/datasets/iris' });
  });
});

describe('what is known of datasets', () => {
  it('follows events, runs and files, and forgets another workspace', async () => {
    let now = theDatasets();
    const { asked, datasets, tracker } = await start(theDatasets(), {
      'v1/datasets': () => json(now)
    });
    const changes = jest.fn();
    datasets.changed.connect(changes);
    tracker.datasetsChanged.emit({ datasets: theDatasets([]) });
    expect(datasets.status).toEqual(theDatasets([]));
    now = theDatasets([aDataset({ newer: true })]);
    tracker.runsChanged.emit(null);
    await waitFor(() => expect(datasets.status).toEqual(now));
    expect(changes).toHaveBeenCalledTimes(2);
    const count = asked.length;
    tracker.statusChanged.emit(null);
    await waitFor(() => expect(asked.length).toBe(count + 1));
    // the same again draws nothing anew
    expect(changes).toHaveBeenCalledTimes(2);
    tracker.workspace = null;
    tracker.workspaceChanged.emit(null);
    expect(datasets.status).toBeNull();
    await datasets.load();
    expect(asked.length).toBe(count + 1);
  });
});
