// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';

import type { SyncStatus } from '../api/schema';
import { CommandIDs } from '../commands';
import { WorkspaceTracker } from '../model';
import { HubState } from '../sync/state';
import { hubWords, isExposed } from '../sync/words';
import { FakeClones, aSync } from './sync.fixtures';
import {
  anEvent,
  aWorkspace,
  FakeClient,
  FakeEvents,
  later,
  settle
} from './utils';

const trans = nullTranslator.load('dotscience_jupyter');

describe('hubWords', () => {
  const words = (fields: Partial<SyncStatus>) => hubWords(aSync(fields), trans);

  it.each<[Partial<SyncStatus>, string, string, string | null]>([
    [{}, 'same', 'Everything is on the hub', null],
    [{ asked: null }, 'same', 'Connected', null],
    [{ remote: null }, 'none', 'Not connected to a hub', CommandIDs.connectHub],
    [{ supported: false, remote: null }, 'none', 'No hub', null],
    [{ ahead: 2 }, 'waiting', '2 ahead', CommandIDs.push],
    [{ behind: 3 }, 'waiting', '3 behind', CommandIDs.pull],
    [{ newer: true }, 'waiting', 'behind', CommandIDs.pull],
    [
      { ahead: 1, behind: 2, diverged: true },
      'diverged',
      'Diverged: 1 ahead, 2 behind',
      CommandIDs.openMerge
    ],
    [
      { ahead: 1, newer: true, diverged: true },
      'diverged',
      'Diverged: 1 ahead, behind',
      CommandIDs.fetch
    ],
    [{ activity: 'pushing' }, 'busy', 'Pushing…', null],
    [
      { activity: 'pushing', progress: { done: 2_500_000, total: 0 } },
      'busy',
      'Pushing… 2.5 MB',
      null
    ],
    [
      { activity: 'pulling', progress: { done: 500, total: 1000 } },
      'busy',
      'Pulling… 500 B of 1.0 kB',
      null
    ],
    [{ activity: 'fetching' }, 'busy', 'Fetching…', null],
    [
      { error: 'Log in again.', code: 'unauthenticated', ahead: 1 },
      'error',
      'Not logged in on the hub',
      CommandIDs.connectHub
    ],
    [
      { error: 'No room.', code: 'full', ahead: 1 },
      'error',
      'Problem with the hub, 1 ahead',
      CommandIDs.push
    ],
    [
      { error: 'Ask alice.', code: 'read_only', ahead: 1 },
      'error',
      'You may only read the project, 1 ahead',
      CommandIDs.push
    ]
  ])('%j', (fields, state, text, command) => {
    const found = words(fields);
    expect([found.state, found.text, found.command]).toEqual([
      state,
      text,
      command
    ]);
  });

  it('says that a task has the project, and that it is tried again', () => {
    const held = { error: 'Held.', code: 'locked', retries: true, ahead: 1 };
    for (const activity of ['idle', 'pushing'] as const) {
      const found = words({ ...held, activity });
      expect(found.state).toBe('waiting');
      expect(found.text).toBe('A task has the project, 1 ahead');
      expect(found.detail).toBe('Held. Trying again by itself…');
    }
  });

  it('stays with what is wrong while a hub that is away is asked again', () => {
    const away = { error: 'Away.', code: 'offline', retries: true, ahead: 1 };
    for (const activity of ['idle', 'pushing'] as const) {
      const found = words({ ...away, activity });
      expect(found.text).toBe('Hub not reached, 1 ahead');
      expect(found.detail).toBe('Away. Trying again by itself…');
    }
    expect(
      words({
        ...away,
        activity: 'pushing',
        progress: { done: 1000, total: 0 }
      }).text
    ).toBe('Pushing… 1.0 kB');
    // somebody asked for this one
    expect(words({ ...away, activity: 'fetching' }).text).toBe('Fetching…');
  });
});

describe('isExposed', () => {
  it.each([
    ['http://hub.example.org', true],
    [' http://10.0.0.1:8888 ', true],
    ['http://127.evil.org', true],
    ['http://localhost.evil.org', true],
    ['https://hub.example.org', false],
    ['http://localhost:8888', false],
    ['http://hub.localhost', false],
    ['http://127.0.0.1:8888/hub', false],
    ['http://[::1]:8888', false],
    ['', false],
    ['hub', false]
  ])('%s: %s', (url, exposed) => {
    expect(isExposed(url)).toBe(exposed);
  });
});

describe('HubState', () => {
  let client: FakeClient;
  let events: FakeEvents;
  let tracker: WorkspaceTracker;
  let hub: HubState;
  const status = jest.fn(async (path: string) => aSync());

  beforeEach(async () => {
    status.mockReset().mockImplementation(async () => aSync());
    client = new FakeClient();
    events = new FakeEvents();
    tracker = new WorkspaceTracker({
      client: client.client,
      events: events as any
    });
    hub = new HubState(tracker, { status }, new FakeClones());
  });

  afterEach(() => {
    hub.dispose();
    tracker.dispose();
  });

  it('asks once for a workspace, and is told from then on', async () => {
    expect(status).not.toHaveBeenCalled();
    await tracker.refresh();
    await settle();
    expect(hub.status).toEqual(aSync());
    const seen = jest.fn();
    hub.changed.connect(seen);
    events.stream.emit(anEvent({ action: 'sync', sync: aSync({ ahead: 1 }) }));
    expect(hub.status?.ahead).toBe(1);
    events.stream.emit(
      anEvent({
        action: 'sync',
        workspace_id: 'another',
        sync: aSync({ ahead: 9 })
      })
    );
    events.stream.emit(anEvent({ action: 'committed' }));
    await settle();
    expect(hub.status?.ahead).toBe(1);
    expect(seen).toHaveBeenCalledTimes(1);
    expect(status.mock.calls).toEqual([['project']]);
  });

  it('does not touch the state of the committer', async () => {
    await tracker.refresh();
    const changed = jest.fn();
    tracker.statusChanged.connect(changed);
    const asked = client.status.mock.calls.length;
    events.stream.emit(
      anEvent({ action: 'sync', state: 'error', sync: aSync() })
    );
    await settle();
    expect(changed).not.toHaveBeenCalled();
    expect(client.status.mock.calls.length).toBe(asked);
  });

  it('prefers what it was told to an older answer', async () => {
    const answer = later<SyncStatus>();
    status.mockImplementation(() => answer.promise);
    await tracker.refresh();
    events.stream.emit(anEvent({ action: 'sync', sync: aSync({ ahead: 1 }) }));
    answer.resolve(aSync({ ahead: 7 }));
    await settle();
    expect(hub.status?.ahead).toBe(1);
  });

  it('forgets the hub of another workspace at once', async () => {
    await tracker.refresh();
    await settle();
    const answer = later<SyncStatus>();
    status.mockImplementation(() => answer.promise);
    client.answer = {
      ...client.answer,
      workspace: aWorkspace({ id: 'w2', path: 'other' })
    };
    await tracker.refresh();
    expect(hub.status).toBeNull();
    answer.resolve(aSync({ remote: null }));
    await settle();
    expect(hub.status?.remote).toBeNull();
    expect(status).toHaveBeenLastCalledWith('other');
  });

  it('keeps what is known where the server does not answer', async () => {
    await tracker.refresh();
    await settle();
    status.mockRejectedValue(new Error('away'));
    await hub.load();
    expect(hub.status).toEqual(aSync());
  });
});
