// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { fireEvent, waitFor, within } from '@testing-library/dom';

import type { SyncResult, SyncStatus } from '../api/schema';
import { CommandIDs } from '../commands';
import { syncPlugin } from '../plugins/sync';
import { json, makeClient } from './run.fixtures';
import { EVIL, aSync } from './sync.fixtures';
import { aWorkspace } from './utils';

const HUB = 'https://hub.example.org';

/** An error as the server gives it. */
function problem(code: string, status = 409) {
  return () => json({ code, message: `It is ${code}. ${EVIL}` }, status);
}

async function start(
  status: Partial<SyncStatus>,
  answers: Record<string, unknown> = {}
) {
  const { client, asked } = makeClient({
    'v1/sync': aSync(status),
    ...answers
  });
  const commands = new CommandRegistry();
  const tracker = {
    client,
    connection: 'ready',
    workspace: aWorkspace({ path: 'team/iris', name: 'iris' }),
    workspaceChanged: new Signal<object, unknown>({}),
    syncChanged: new Signal<object, unknown>({}),
    elsewhereChanged: new Signal<object, unknown>({})
  };
  const context = {
    path: 'team/iris/notes.txt',
    isDisposed: false,
    model: { dirty: true, readOnly: false },
    contentsModel: { writable: true, type: 'file' },
    save: jest.fn(async () => {
      context.model.dirty = false;
    }),
    revert: jest.fn(async () => undefined)
  };
  const app = {
    commands,
    serviceManager: {
      contents: {
        driveName: () => '',
        localPath: (path: string) => path
      }
    },
    shell: { widgets: () => [{}] }
  };
  const palette = { addItem: jest.fn() };
  const hub = await syncPlugin.activate(
    app as any,
    tracker as any,
    { contextForWidget: () => context } as any,
    palette as any,
    null
  );
  await waitFor(() => expect(hub.status).not.toBeNull());
  const posted = () =>
    asked
      .filter(({ init }) => init.method === 'POST')
      .map(({ path, query, init }) => [
        path,
        query.get('path'),
        JSON.parse(String(init.body))
      ]);
  return { asked, commands, context, hub, palette, posted, tracker };
}

/** What people were told since the last time. */
function told(): string[] {
  const messages = Notification.manager.notifications.map(
    ({ message, options }) => [
      message,
      ...(options.actions ?? []).map(({ label }) => label)
    ]
  );
  Notification.manager.dismiss();
  return messages.flat();
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

async function press(name: string): Promise<void> {
  const shown = await dialog();
  fireEvent.click(within(shown).getByText(name));
  await waitFor(() => expect(shown.isConnected).toBe(false));
}

describe('the commands of the hub', () => {
  afterEach(() => {
    Notification.manager.dismiss();
  });

  it('are in the palette, and enabled where they can do something', async () => {
    const { commands, hub, palette, tracker } = await start({ remote: null });
    const ids = palette.addItem.mock.calls.map(([{ command }]) => command);
    expect(ids).toEqual([
      CommandIDs.connectHub,
      CommandIDs.push,
      CommandIDs.pull,
      CommandIDs.fetch,
      CommandIDs.logOut,
      CommandIDs.disconnectHub,
      CommandIDs.cloneProject
    ]);
    ids.pop(); // it needs no workspace
    const enabled = () => ids.map(id => commands.isEnabled(id));
    expect(enabled()).toEqual([true, false, false, false, false, false]);
    expect(commands.label(CommandIDs.connectHub)).toBe('Connect to a Hub…');
    tracker.syncChanged.emit({ sync: aSync() });
    expect(hub.status).toEqual(aSync());
    expect(enabled()).toEqual([true, true, true, true, true, true]);
    expect(commands.label(CommandIDs.connectHub)).toBe('Log In on the Hub…');
    tracker.syncChanged.emit({
      sync: aSync({ supported: false, remote: null })
    });
    expect(enabled()).toEqual([false, false, false, false, false, false]);
  });

  it('push, and say what came of it', async () => {
    const answer = {
      state: 'published',
      commits: 2,
      head: 'c0ffee00',
      message: ''
    };
    const { commands, posted } = await start(
      { ahead: 2 },
      { 'v1/sync/push': () => json(answer) }
    );
    await commands.execute(CommandIDs.push);
    expect(posted()).toEqual([['v1/sync/push', 'team/iris', {}]]);
    expect(told()).toEqual(['Sent 2 commits to the hub.']);
    answer.state = 'current';
    await commands.execute(CommandIDs.push);
    expect(told()).toEqual(['The hub has every commit.']);
    answer.state = 'diverged';
    await commands.execute(CommandIDs.push);
    expect(told()).toEqual([expect.stringContaining('kept there'), 'Fetch']);
  });

  it('offer to log in where that is what lacks', async () => {
    const { commands } = await start(
      {},
      { 'v1/sync/push': problem('not_logged_in') }
    );
    await commands.execute(CommandIDs.push);
    expect(told()).toEqual([expect.stringContaining(EVIL), 'Log In…']);
  });

  it('pull into documents that are open, which are saved before', async () => {
    const results: SyncResult[] = [
      {
        state: 'failed',
        commits: 0,
        head: null,
        message: 'It is not committed.',
        code: 'uncommitted_changes'
      },
      {
        state: 'pulled',
        commits: 1,
        head: 'c0ffee0011223344',
        message: '',
        code: ''
      }
    ];
    let now = aSync({ behind: 1 });
    const { commands, context, posted } = await start(
      { behind: 1 },
      {
        'v1/sync': () => json(now),
        'v1/sync/pull': () => {
          now = aSync({ pulled: results.shift() });
          return json(aSync({ activity: 'pulling' }));
        }
      }
    );
    expect(await commands.execute(CommandIDs.pull)).toBeNull();
    expect(context.save).toHaveBeenCalledTimes(1);
    expect(context.revert).not.toHaveBeenCalled();
    expect(told()).toEqual(['It is not committed.']);
    await commands.execute(CommandIDs.pull);
    expect(context.save).toHaveBeenCalledTimes(1);
    expect(context.revert).toHaveBeenCalledTimes(1);
    expect(posted()).toHaveLength(2);
    expect(told()).toEqual([
      'The files are as in c0ffee00 now, 1 commit further.'
    ]);
  });

  it('fetch, and say what came of it when it has ended', async () => {
    let now = aSync();
    const { commands, posted, tracker } = await start(
      {},
      {
        'v1/sync': () => json(now),
        'v1/sync/fetch': () => {
          now = aSync({ activity: 'fetching' });
          return json(now);
        }
      }
    );
    const tell = (status: Partial<SyncStatus>): void => {
      now = aSync(status);
      tracker.syncChanged.emit({ sync: now });
    };
    const begun = (count: number): Promise<void> =>
      waitFor(() => expect(posted()).toHaveLength(count), { timeout: 5000 });
    let done = false;
    const first = commands.execute(CommandIDs.fetch).then(value => {
      done = true;
      return value;
    });
    await begun(1);
    tell({ activity: 'fetching', progress: { done: 10, total: 100 } });
    // a push that has its turn before
    tell({ activity: 'pushing', error: 'Away.', code: 'offline' });
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(done).toBe(false);
    const fetched = {
      state: 'fetched' as const,
      commits: 3,
      head: 'c0ffee00',
      message: '',
      code: ''
    };
    tell({ fetched, behind: 3 });
    expect(await first).toEqual(fetched);
    expect(told()).toEqual(['Fetched 3 commits. No file was changed.']);

    const second = commands.execute(CommandIDs.fetch);
    await begun(2);
    tell({
      fetched: {
        state: 'failed',
        commits: 0,
        head: null,
        message: 'Not there.',
        code: 'not_logged_in'
      }
    });
    expect(await second).toBeNull();
    expect(told()).toEqual(['Not there.', 'Log In…']);

    // whoever goes to another workspace is not told of this one
    const third = commands.execute(CommandIDs.fetch);
    await begun(3);
    tracker.workspace = aWorkspace({ id: 'w2', path: 'other' });
    tell({ activity: 'fetching' });
    expect(await third).toBeNull();
    expect(told()).toEqual([]);
  });

  it('log in, choose a project, and keep what was typed when it would not do', async () => {
    const logins: (() => Response)[] = [
      problem('unauthenticated'),
      () => json({ url: HUB, user: 'ada', exposed: false })
    ];
    const remote = { url: HUB, project: 'p2', name: EVIL, user: 'ada' };
    const { commands, posted } = await start(
      { remote: null },
      {
        'v1/sync/hubs': { items: [] },
        'v1/sync/login': () => logins.shift()!(),
        'v1/sync/projects': {
          items: [
            { project: 'p1', name: 'ada/iris' },
            { project: 'p2', name: EVIL }
          ]
        },
        'v1/sync/remote': aSync({ remote })
      }
    );
    const done = commands.execute(CommandIDs.connectHub);
    let shown = within(await dialog());
    const fill = (label: string, value: string) =>
      fireEvent.input(shown.getByLabelText(label), { target: { value } });
    fill('Address of the hub', 'http://hub.example.org');
    await shown.findByText(/not encrypted/);
    fill('Address of the hub', HUB);
    fill('User', 'ada');
    fill('Password', 'wrong');
    await press('Log In');
    shown = within(await dialog());
    const why = await shown.findByText(/^It is unauthenticated/);
    expect(why.getAttribute('role')).toBe('alert');
    expect(why.textContent).toContain(EVIL);
    expect(shown.getByLabelText<HTMLInputElement>('User').value).toBe('ada');
    expect(shown.getByLabelText<HTMLInputElement>('Password').value).toBe('');
    fill('Password', 'right');
    await press('Log In');
    const select = within(await dialog()).getByLabelText<HTMLSelectElement>(
      'Project'
    );
    // one that is called as the folder is
    expect(select.value).toBe('p1');
    fireEvent.change(select, { target: { value: 'p2' } });
    await press('Connect');
    expect(await done).toBe(true);
    expect(posted()).toEqual([
      [
        'v1/sync/login',
        null,
        { url: HUB, user: 'ada', password: 'wrong', key: '' }
      ],
      [
        'v1/sync/login',
        null,
        { url: HUB, user: 'ada', password: 'right', key: '' }
      ],
      ['v1/sync/remote', 'team/iris', { url: HUB, project: 'p2' }]
    ]);
    expect(told()).toEqual([`iris belongs to ${EVIL} now.`]);
    expect(document.querySelector('img')).toBeNull();
  });

  it('go on as who one is already', async () => {
    const { commands, posted } = await start(
      { remote: null },
      {
        'v1/sync/hubs': {
          items: [{ url: HUB, user: 'ada', exposed: false }]
        },
        'v1/sync/projects': { items: [] },
        'v1/sync/remote': aSync()
      }
    );
    const done = commands.execute(CommandIDs.connectHub);
    await within(await dialog()).findByText(/You are logged in there as ada/);
    await press('Log In');
    await press('Connect');
    expect(await done).toBe(true);
    expect(posted()).toEqual([
      ['v1/sync/remote', 'team/iris', { url: HUB, name: 'iris' }]
    ]);
  });

  it('log out only when that is meant, of the hub and not of one workspace', async () => {
    const { commands, hub, posted } = await start(
      {},
      { 'v1/sync/logout': { items: [] } }
    );
    const first = commands.execute(CommandIDs.logOut);
    const shown = await dialog();
    expect(shown.textContent).toContain('all your workspaces');
    await press('Cancel');
    expect(await first).toBe(false);
    const second = commands.execute(CommandIDs.logOut);
    await press('Log Out');
    expect(await second).toBe(true);
    const { url } = hub.status!.remote!;
    expect(posted()).toEqual([['v1/sync/logout', null, { url }]]);
  });

  it('disconnect only when that is meant', async () => {
    const { commands, posted } = await start(
      {},
      { 'v1/sync/disconnect': aSync({ remote: null }) }
    );
    const first = commands.execute(CommandIDs.disconnectHub);
    await press('Cancel');
    expect(await first).toBe(false);
    expect(posted()).toEqual([]);
    const second = commands.execute(CommandIDs.disconnectHub);
    await press('Disconnect');
    expect(await second).toBe(true);
    expect(posted()).toEqual([['v1/sync/disconnect', 'team/iris', {}]]);
  });
});
