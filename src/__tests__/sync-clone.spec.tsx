// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { configure, fireEvent, waitFor, within } from '@testing-library/dom';
import { act, cleanup, render, screen } from '@testing-library/react';
import * as React from 'react';

import type { HubProject, ProjectClone } from '../api/schema';
import { CommandIDs } from '../commands';
import { syncPlugin } from '../plugins/sync';
import { CloneLines } from '../sync/clonelines';
import { json, makeClient } from './run.fixtures';
import { EVIL, FakeClones, aClone } from './sync.fixtures';
import { aWorkspace } from './utils';

const HUB = 'https://hub.example.org';
const ADA = { url: HUB, user: 'ada', exposed: false };
const SEARCH = 'Search, or the address of a project';
const GO_TO_PATH = 'filebrowser:go-to-path';

/** Projects with numbers in their names. */
function projects(count: number): HubProject[] {
  return Array.from({ length: count }, (_, index) => ({
    project: `p${index}`,
    name: `ada/project ${index}`,
    kind: 'project' as const
  }));
}

/**
 * The plugin in an application without a workspace.
 *
 * @param answers - What the server answers
 * @param begin - What it answers to who has it clone
 */
async function start(
  answers: Record<string, unknown>,
  begin = () => json(aClone(), 201)
) {
  let now: ProjectClone[] = [];
  const { client, asked } = makeClient({
    'v1/sync/clones': () => json({ items: now }),
    ...answers
  });
  const settings = client.serverSettings as { fetch: typeof fetch };
  const ask = settings.fetch;
  settings.fetch = async (info, init) => {
    const { method, url } = info as Request;
    const answer = await ask(info, init);
    const { pathname } = new URL(url);
    const isBegun = method === 'POST' && pathname.endsWith('/clones');
    return isBegun ? begin() : answer;
  };
  const commands = new CommandRegistry();
  const executed: [string, unknown][] = [];
  for (const id of [GO_TO_PATH, CommandIDs.openPanel]) {
    commands.addCommand(id, {
      describedBy: { args: {} },
      execute: args => void executed.push([id, args])
    });
  }
  const tracker = {
    client,
    connection: 'ready',
    path: 'team',
    workspace: null as unknown,
    workspaceChanged: new Signal<object, unknown>({}),
    syncChanged: new Signal<object, unknown>({}),
    elsewhereChanged: new Signal<object, unknown>({}),
    setPath: jest.fn(),
    refresh: jest.fn(async () => undefined)
  };
  const hub = await syncPlugin.activate(
    { commands, serviceManager: {}, shell: {} } as any,
    tracker as any,
    null,
    null,
    null
  );
  const posted = () =>
    asked
      .filter(({ init }) => init.method === 'POST')
      .map(({ path, init }) => [path, JSON.parse(String(init.body))]);
  const tell = (fields: Partial<ProjectClone>): void => {
    const clone = aClone(fields);
    tracker.elsewhereChanged.emit({ action: 'clone', clone });
  };
  const set = (...items: ProjectClone[]): void => void (now = items);
  return { asked, commands, executed, hub, posted, set, tell, tracker };
}

async function dialog(): Promise<HTMLElement> {
  return waitFor(() => {
    const found = document.querySelector<HTMLElement>('.jp-Dialog-content');
    expect(found?.querySelector('.jp-Dialog-body')?.textContent).toBeTruthy();
    return found!;
  });
}

async function press(name: string): Promise<void> {
  const shown = await dialog();
  fireEvent.click(within(shown).getByText(name));
  await waitFor(() => expect(shown.isConnected).toBe(false));
}

function told(): string[] {
  const messages = Notification.manager.notifications.map(
    ({ message }) => message
  );
  Notification.manager.dismiss();
  return messages;
}

// There is much in these forms.
configure({ asyncUtilTimeout: 10_000 });
jest.setTimeout(30_000);

describe('cloning a project', () => {
  afterEach(() => {
    Notification.manager.dismiss();
  });

  it('is chosen from a searched list, and gone to when it is there', async () => {
    let ended = false;
    const { asked, commands, executed, hub, posted, set, tell, tracker } =
      await start({
        'v1/sync/hubs': { items: [ADA] },
        'v1/sync/projects': {
          items: [
            { project: 'e1', name: EVIL, kind: 'dataset' },
            ...projects(500)
          ]
        },
        'v1/sync/projects/newest': {
          items: [
            {
              project: 'p42',
              commits: 3,
              created: '2026-02-03T04:05:06Z',
              author: 'bob',
              message: 'better\nand more'
            },
            {
              project: 'p420',
              commits: 0,
              created: null,
              author: '',
              message: ''
            }
          ]
        },
        'v1/sync/clones/end': () => {
          ended = true;
          return json({ items: [] });
        }
      });
    const done = commands.execute(CommandIDs.cloneProject);
    const shown = within(await dialog());
    const search = await shown.findByLabelText<HTMLInputElement>(SEARCH);
    await shown.findByText('501 projects');
    // only those that are seen are in the page
    expect(
      document.querySelectorAll('.jp-Dialog [role="option"]').length
    ).toBeLessThan(60);
    expect(shown.getByText(`${EVIL} (dataset)`)).toBeTruthy();
    expect(document.querySelector('.jp-Dialog img')).toBeNull();
    fireEvent.input(search, { target: { value: 'Ada 42' } });
    await shown.findByText('15 projects');
    await shown.findByText(/3 commits · bob · better$/);
    await shown.findByText('no commit yet');
    const folder = shown.getByLabelText<HTMLInputElement>('New folder');
    expect(folder.value).toBe('team/project 42');
    fireEvent.keyDown(search, { key: 'ArrowDown' });
    await waitFor(() => expect(folder.value).toBe('team/project 142'));
    fireEvent.keyDown(search, { key: 'ArrowUp' });
    await waitFor(() => expect(folder.value).toBe('team/project 42'));
    const active = search.getAttribute('aria-activedescendant')!;
    expect(document.getElementById(active)!.getAttribute('aria-selected')).toBe(
      'true'
    );
    const about = asked
      .filter(({ path }) => path === 'v1/sync/projects/newest')
      .map(({ query }) => query.get('projects')!.split(','));
    expect(Math.max(...about.map(each => each.length))).toBeLessThan(41);
    // the clone that the list of clones is asked for is there already
    set(aClone());
    await press('Clone');
    await waitFor(() => expect(hub.clones.items).toHaveLength(1));
    tell({ progress: { done: 1, total: 2 } });
    expect(hub.clones.items[0].progress).toEqual({ done: 1, total: 2 });
    expect(executed).toEqual([]);
    tell({ state: 'cloned' });
    expect(await done).toEqual(aClone({ state: 'cloned' }));
    expect(posted()[0]).toEqual([
      'v1/sync/clones',
      { address: `${HUB}/p42`, folder: 'team/project 42' }
    ]);
    expect(executed).toEqual([
      [GO_TO_PATH, { path: 'team/iris', dontShowBrowser: true }],
      [CommandIDs.openPanel, {}]
    ]);
    expect(tracker.setPath).toHaveBeenCalledWith('team/iris');
    expect(ended).toBe(true);
    expect(hub.clones.items).toEqual([]);
    expect(told()).toEqual(['ada/iris is in team/iris now.']);
  });

  it('asks who one is first, and says what would not do', async () => {
    const logins: unknown[] = [];
    const answers = [
      () => json({ code: 'exists', message: `It is there. ${EVIL}` }, 409),
      () => json({ code: 'not_logged_in', message: 'Who are you?' }, 409),
      () => json(aClone({ state: 'failed', message: 'No room.' }))
    ];
    const { commands, posted, set, tracker } = await start(
      {
        'v1/sync/hubs': () => json({ items: logins }),
        'v1/sync/login': () => {
          logins.splice(0, 1, ADA);
          return json(ADA);
        },
        'v1/sync/projects': { items: projects(1) }
      },
      () => answers.shift()!()
    );
    tracker.workspace = aWorkspace({ path: 'deep/in/iris', name: 'iris' });
    const done = commands.execute(CommandIDs.cloneProject);
    let shown = within(await dialog());
    const logIn = async (): Promise<void> => {
      const fill = (label: string, value: string) =>
        fireEvent.input(shown.getByLabelText(label), { target: { value } });
      fill('Address of the hub', HUB);
      fill('User', 'ada');
      fill('Password', 'right');
      await press('Log In');
    };
    await logIn();
    shown = within(await dialog());
    await shown.findByText('1 project');
    await press('Clone');
    shown = within(await dialog());
    await shown.findByText('Choose a project, or type its address.');
    fireEvent.click(await shown.findByText('ada/project 0'));
    const folder = shown.getByLabelText<HTMLInputElement>('New folder');
    // beside the workspace at hand, not inside of it
    await waitFor(() => expect(folder.value).toBe('deep/in/project 0'));
    await press('Clone');
    shown = within(await dialog());
    const why = await shown.findByText(/^It is there/);
    expect(why.textContent).toBe(`It is there. ${EVIL}`);
    expect(document.querySelector('.jp-Dialog img')).toBeNull();
    // by its address, which shows no list
    fireEvent.input(shown.getByLabelText(SEARCH), {
      target: { value: ` ${HUB}/bob/a%20b ` }
    });
    await waitFor(() =>
      expect(document.querySelector('.jp-Dialog [role="listbox"]')).toBeNull()
    );
    fireEvent.input(shown.getByLabelText('New folder'), {
      target: { value: '' }
    });
    await waitFor(() =>
      expect(shown.getByLabelText<HTMLInputElement>('New folder').value).toBe(
        'deep/in/a b'
      )
    );
    set(aClone({ state: 'failed', message: 'No room.' }));
    await press('Clone');
    shown = within(await dialog());
    await shown.findByText('Who are you?');
    await logIn();
    expect(await done).toMatchObject({ state: 'failed' });
    expect(told()).toEqual(['Not cloned: No room.']);
    expect(posted().filter(([path]) => path === 'v1/sync/clones')).toEqual([
      ['v1/sync/clones', { address: `${HUB}/p0`, folder: 'deep/in/project 0' }],
      ...Array(2).fill([
        'v1/sync/clones',
        { address: `${HUB}/bob/a%20b`, folder: 'deep/in/a b' }
      ])
    ]);
  });

  it('goes on without asking, and comes back after a reload', async () => {
    const { commands, hub, posted, set, tell, tracker } = await start({
      'v1/sync/clones/end': { items: [] }
    });
    set(aClone({ state: 'stopped' }));
    tracker.connection = 'offline';
    tracker.workspaceChanged.emit(null);
    tracker.connection = 'ready';
    tracker.workspaceChanged.emit(null);
    await waitFor(() => expect(hub.clones.items).toHaveLength(1));
    // begun again by another page: it is told of once
    tell({ id: 'c2' });
    expect(hub.clones.items.map(({ id }) => id)).toEqual(['c2']);
    tell({ id: 'c2', state: 'cloned' });
    await commands.execute(CommandIDs.openClone, { clone: 'c2' });
    expect(tracker.setPath).toHaveBeenCalledWith('team/iris');
    expect(hub.clones.items).toEqual([]);
    expect(posted()).toEqual([['v1/sync/clones/end', { id: 'c2' }]]);
    await commands.execute(CommandIDs.openClone, { clone: 'c2' });
    expect(tracker.setPath).toHaveBeenCalledTimes(1);
  });
});

describe('CloneLines', () => {
  afterEach(cleanup);

  it('says how far it is, and offers what helps', async () => {
    const clones = new FakeClones();
    const commands = new CommandRegistry();
    const executed: [string, unknown][] = [];
    for (const id of [
      CommandIDs.cloneProject,
      CommandIDs.endClone,
      CommandIDs.openClone
    ]) {
      commands.addCommand(id, {
        describedBy: { args: {} },
        execute: args => void executed.push([id, args])
      });
    }
    const { container } = render(
      <CloneLines
        clones={clones}
        commands={commands}
        trans={nullTranslator.load('')}
      />
    );
    const click = async (name: string) =>
      act(async () => {
        fireEvent.click(screen.getByRole('button', { name }));
      });
    const words = () => screen.getByRole('status').textContent;
    expect(container.textContent).toBe('');
    act(() => clones.set(aClone({ name: EVIL })));
    expect(words()).toBe(`Cloning ${EVIL} to team/iris…`);
    expect(container.querySelector('img')).toBeNull();
    act(() =>
      clones.set(
        aClone({ progress: { done: 500, total: 1000 } }),
        aClone({ id: 'c2', state: 'cloned' })
      )
    );
    expect(
      screen.getAllByRole('status').map(({ textContent }) => textContent)
    ).toEqual([
      'Cloning ada/iris to team/iris… 500 B of 1.0 kB',
      'ada/iris is in team/iris now'
    ]);
    await click('Stop');
    await click('Open');
    await click('Dismiss');
    act(() => clones.set(aClone({ message: 'The hub is busy.' })));
    expect(container.textContent).toContain('The hub is busy.');
    act(() => clones.set(aClone({ state: 'failed', message: 'No room.' })));
    expect(words()).toBe('ada/iris was not cloned to team/iris');
    expect(container.textContent).toContain('No room. What arrived is kept');
    act(() => clones.set(aClone({ state: 'stopped' })));
    expect(words()).toBe('Stopped cloning ada/iris to team/iris');
    await click('Go On');
    expect(executed).toEqual([
      [CommandIDs.endClone, { clone: 'c1' }],
      [CommandIDs.openClone, { clone: 'c2' }],
      [CommandIDs.endClone, { clone: 'c2' }],
      [
        CommandIDs.cloneProject,
        { address: 'https://hub.example.org/p1', folder: 'team/iris' }
      ]
    ]);
  });
});
