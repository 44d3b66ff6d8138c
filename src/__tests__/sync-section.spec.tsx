// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import {
  act,
  cleanup,
  fireEvent,
  render,
  screen
} from '@testing-library/react';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { HubSection } from '../sync/section';
import { HubStatusItem } from '../sync/statusitem';
import { EVIL, FakeHub, aSync } from './sync.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');

function show(hub: FakeHub) {
  const commands = new CommandRegistry();
  const executed: [string, unknown][] = [];
  for (const id of Object.values(CommandIDs)) {
    commands.addCommand(id, {
      describedBy: { args: {} },
      execute: args => void executed.push([id, args])
    });
  }
  const { container } = render(
    <HubSection hub={hub} commands={commands} trans={trans} />
  );
  const click = async (name: string) =>
    act(async () => {
      fireEvent.click(screen.getByRole('button', { name }));
    });
  return { commands, executed, container, click };
}

describe('HubSection', () => {
  afterEach(cleanup);

  it('is not there before anything is known', () => {
    const { container } = show(new FakeHub(null));
    expect(container.textContent).toBe('');
  });

  it('offers to connect', async () => {
    const { executed, click } = show(new FakeHub(aSync({ remote: null })));
    expect(screen.getByRole('status').textContent).toBe(
      'Not connected to a hub'
    );
    await click('Connect to a Hub…');
    await click('Clone a Project…');
    expect(executed).toEqual([
      [CommandIDs.connectHub, {}],
      [CommandIDs.cloneProject, {}]
    ]);
  });

  it('follows what is told, and offers what helps', async () => {
    const hub = new FakeHub(aSync());
    const { executed, click } = show(hub);
    expect(screen.getAllByRole('button')).toHaveLength(1);
    act(() => hub.set(aSync({ ahead: 1 })));
    expect(screen.getByRole('status').textContent).toBe('1 ahead');
    await click('Push');
    act(() => hub.set(aSync({ behind: 2 })));
    await click('Pull');
    act(() => hub.set(aSync({ behind: 2, ahead: 1, diverged: true })));
    await click('Merge…');
    act(() => hub.set(aSync({ error: 'Away.', code: 'offline' })));
    expect(screen.getByText('Away.')).toBeTruthy();
    await click('Try Again');
    act(() => hub.set(aSync({ error: 'Who?', code: 'not_logged_in' })));
    await click('Log In…');
    expect(executed).toEqual([
      [CommandIDs.push, {}],
      [CommandIDs.pull, {}],
      [CommandIDs.openMerge, { theirs: 'c0ffee00' }],
      [CommandIDs.push, {}],
      [CommandIDs.connectHub, {}]
    ]);
  });

  it('has everything else below its line, and names stay text', async () => {
    const hub = new FakeHub(aSync());
    hub.status!.remote!.name = EVIL;
    const { executed, container, click } = show(hub);
    const line = screen.getByRole('button', { expanded: false });
    await act(async () => {
      fireEvent.click(line);
    });
    expect(line.getAttribute('aria-expanded')).toBe('true');
    expect(screen.getByText(EVIL)).toBeTruthy();
    expect(container.querySelector('img')).toBeNull();
    for (const name of [
      'Push',
      'Pull',
      'Fetch',
      'Log Out…',
      'Disconnect…',
      'Clone a Project…'
    ]) {
      await click(name);
    }
    expect(executed.map(([id]) => id)).toEqual([
      CommandIDs.push,
      CommandIDs.pull,
      CommandIDs.fetch,
      CommandIDs.logOut,
      CommandIDs.disconnectHub,
      CommandIDs.cloneProject
    ]);
    // whoever is not logged in is told so, and cannot log out
    act(() =>
      hub.set(aSync({ remote: { ...hub.status!.remote!, user: null } }))
    );
    expect(screen.getByRole('status').textContent).toBe(
      'Not logged in on the hub'
    );
    expect(screen.queryByRole('button', { name: 'Log Out…' })).toBeNull();
    await click('Log In…');
    expect(executed.pop()).toEqual([CommandIDs.connectHub, {}]);
  });
});

describe('HubStatusItem', () => {
  it('says in the status bar what the panel says', async () => {
    const hub = new FakeHub(null);
    const commands = new CommandRegistry();
    const open = jest.fn();
    commands.addCommand(CommandIDs.openPanel, {
      describedBy: { args: {} },
      execute: open
    });
    const item = new HubStatusItem(hub, commands, trans);
    const active: boolean[] = [];
    item.activeChanged.connect(() => void active.push(item.isActive));
    hub.set(aSync({ ahead: 1, error: 'Away.', code: 'offline' }));
    hub.set(aSync({ ahead: 2, error: 'Away.', code: 'offline' }));
    expect(active).toEqual([true]);
    await act(async () => {
      item.update();
      const { MessageLoop } = await import('@lumino/messaging');
      MessageLoop.flush();
      await item.renderPromise;
    });
    const button = item.node.querySelector('button')!;
    expect(button.textContent).toBe('Hub not reached, 2 ahead');
    expect(button.title).toBe('ada/iris: Hub not reached, 2 ahead\nAway.');
    button.click();
    expect(open).toHaveBeenCalled();
    act(() => hub.set(aSync({ supported: false, remote: null })));
    expect(active).toEqual([true, false]);
    item.dispose();
    act(() => hub.set(null));
    expect(active).toEqual([true, false]);
  });
});
