// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ApiError } from '../api/client';
import { connectionOf, isInside, WorkspaceTracker } from '../model';
import type { IWorkspaceEvent } from '../tokens';
import { anEvent, aStatus, aWorkspace, FakeClient, FakeEvents } from './utils';

function create(): {
  tracker: WorkspaceTracker;
  client: FakeClient;
  events: FakeEvents;
} {
  const client = new FakeClient();
  const events = new FakeEvents();
  const tracker = new WorkspaceTracker({
    client: client.client,
    events: events as any,
    settle: 50
  });
  return { tracker, client, events };
}

describe('WorkspaceTracker', () => {
  let tracker: WorkspaceTracker;
  let client: FakeClient;
  let events: FakeEvents;

  const emit = (fields: Partial<IWorkspaceEvent>) =>
    events.stream.emit(anEvent(fields));
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    jest.useFakeTimers();
    ({ tracker, client, events } = create());
  });

  afterEach(() => {
    tracker.dispose();
    jest.useRealTimers();
  });

  it('asks once for the folder where a quick walk ends', async () => {
    const paths: string[] = [];
    tracker.pathChanged.connect((_, path) => void paths.push(path));
    tracker.setPath('a');
    tracker.setPath('a/b');
    tracker.setPath('a/b');
    await pass(60);
    expect(paths).toEqual(['a', 'a/b']);
    expect(client.workspace.mock.calls).toEqual([['a/b']]);
    expect(tracker.connection).toBe('ready');
    expect(tracker.workspace?.id).toBe('w1');
    expect(tracker.status?.status).toBe('clean');
    expect(tracker.isReady).toBe(true);
  });

  it('asks for the first folder even when it is the root', async () => {
    tracker.setPath('');
    await pass(60);
    expect(client.workspace).toHaveBeenCalledWith('');
  });

  it('does not tell what did not change', async () => {
    tracker.setPath('project');
    await pass(60);
    const told = jest.fn();
    tracker.workspaceChanged.connect(told);
    tracker.statusChanged.connect(told);
    tracker.runsChanged.connect(told);
    tracker.setPath('project/sub');
    await pass(60);
    expect(client.workspace).toHaveBeenCalledTimes(2);
    expect(told).not.toHaveBeenCalled();
  });

  it('knows where tracking could start, or why not', async () => {
    client.answer = {
      workspace: null,
      suggested_path: 'repo',
      reason: ''
    };
    tracker.setPath('repo/sub');
    await pass(60);
    expect(tracker.workspace).toBeNull();
    expect(tracker.suggestedPath).toBe('repo');
    expect(tracker.status).toBeNull();
    expect(client.status).not.toHaveBeenCalled();
  });

  it('tells of new runs at once, and reads the status after', async () => {
    tracker.setPath('project');
    await pass(60);
    const runs = jest.fn();
    tracker.runsChanged.connect((_, event) => runs(event?.runs));
    client.answer = {
      ...client.answer,
      workspace: aWorkspace({ head: 'c0ffee01', runs: 2, commits: 2 })
    };
    emit({ runs: ['r1'], total_runs: 1 });
    expect(runs).toHaveBeenCalledWith(['r1']);
    expect(tracker.workspace?.head).toBe('c0ffee01');
    expect(tracker.workspace?.runs).toBe(2);
    await pass(0);
    expect(tracker.workspace?.commits).toBe(2);
    expect(runs).toHaveBeenCalledTimes(1);
  });

  it('shows the state of the event until the status is here', async () => {
    tracker.setPath('project');
    await pass(60);
    const asked = client.status.mock.calls.length;
    emit({ action: 'committing', state: 'committing' });
    expect(tracker.status?.status).toBe('committing');
    await pass(0);
    expect(client.status).toHaveBeenCalledTimes(asked);
    client.state = aStatus({
      status: 'changed',
      changed_files: [
        { filename: 'a', file_status: 'added', size: 1, old_filename: null }
      ]
    });
    emit({ action: 'status', state: 'changed', changed: 1 });
    await pass(0);
    expect(tracker.status?.changed_files).toHaveLength(1);
  });

  it('reads the status once for a burst of events, and once after', async () => {
    tracker.setPath('project');
    await pass(60);
    client.status.mockClear();
    for (let i = 0; i < 50; i++) {
      emit({ action: 'status', state: 'changed' });
    }
    await pass(0);
    expect(client.status).toHaveBeenCalledTimes(2);
  });

  it('ignores other workspaces and other events', async () => {
    tracker.setPath('project');
    await pass(60);
    const told = jest.fn();
    tracker.runsChanged.connect(told);
    const elsewhere = jest.fn();
    tracker.elsewhereChanged.connect((_, event) => elsewhere(event.workspace));
    emit({ workspace: 'other', workspace_id: 'w2', total_runs: 1 });
    events.stream.emit({ ...anEvent(), schema_id: 'https://else' });
    expect(told).not.toHaveBeenCalled();
    // who shows another workspace hears of it
    expect(elsewhere.mock.calls).toEqual([['other']]);
  });

  it('tells of runs under way and asks for nothing else then', async () => {
    tracker.setPath('project');
    await pass(60);
    const live = jest.fn();
    const others = jest.fn();
    tracker.liveChanged.connect((_, event) => live(event.action));
    tracker.runsChanged.connect(others);
    tracker.statusChanged.connect(others);
    const asked = client.status.mock.calls.length;
    emit({ action: 'live', state: 'changed', head: 'elsewhere' });
    emit({ action: 'live', workspace: 'other', workspace_id: 'w2' });
    await pass(0);
    expect(live.mock.calls).toEqual([['live']]);
    expect(others).not.toHaveBeenCalled();
    expect(client.status).toHaveBeenCalledTimes(asked);
    expect(tracker.workspace?.head).not.toBe('elsewhere');
  });

  it('finds the workspace that a first run has made around it', async () => {
    client.answer = { workspace: null, suggested_path: 'project', reason: '' };
    tracker.setPath('project/sub');
    await pass(60);
    client.answer = {
      workspace: aWorkspace(),
      suggested_path: null,
      reason: ''
    };
    emit({ action: 'created', workspace: 'elsewhere', workspace_id: 'w9' });
    await pass(0);
    expect(tracker.workspace).toBeNull();
    emit({ action: 'created', workspace: 'project' });
    await pass(0);
    expect(tracker.workspace?.id).toBe('w1');
  });

  it('says that the server extension is missing', async () => {
    client.version.mockRejectedValue(new ApiError(404, 'missing', 'Not Found'));
    tracker.setPath('project');
    await pass(60);
    expect(tracker.connection).toBe('missing');
    expect(tracker.isReady).toBe(false);
    // Nobody starts a server by asking again and again.
    await pass(600_000);
    expect(client.version).toHaveBeenCalledTimes(1);
  });

  it('says when the versions differ', async () => {
    client.version.mockResolvedValue({ version: '99.0.0' });
    tracker.setPath('project');
    await pass(60);
    expect(tracker.connection).toBe('outdated');
    expect(tracker.workspace?.id).toBe('w1');
  });

  it('keeps what it knows while the server is away, and comes back by itself', async () => {
    tracker.setPath('project');
    await pass(60);
    const runs = jest.fn();
    tracker.runsChanged.connect(runs);
    const { workspace } = client;
    client.workspace = jest
      .fn()
      .mockRejectedValue(new ApiError(0, 'offline', 'x'));
    await tracker.refresh();
    expect(tracker.connection).toBe('offline');
    expect(tracker.workspace?.id).toBe('w1');
    client.workspace = workspace;
    client.answer = {
      ...client.answer,
      workspace: aWorkspace({ runs: 5, head: 'new' })
    };
    await pass(120_000);
    expect(tracker.connection).toBe('ready');
    // It may have missed runs.
    expect(runs).toHaveBeenCalledTimes(1);
    const asked = workspace.mock.calls.length;
    await pass(600_000);
    expect(workspace).toHaveBeenCalledTimes(asked);
  });

  it('shows what the server says about a folder it cannot read', async () => {
    client.workspace.mockRejectedValue(
      new ApiError(400, 'unsupported_contents', 'This drive has no files.')
    );
    tracker.setPath('project');
    await pass(60);
    expect(tracker.connection).toBe('connecting');
    expect(tracker.reason).toBe('This drive has no files.');
  });

  it('asks again when a page that was hidden for long is shown', async () => {
    tracker.setPath('project');
    await pass(60);
    document.dispatchEvent(new Event('visibilitychange'));
    await pass(0);
    expect(client.workspace).toHaveBeenCalledTimes(1);
    await pass(60_000);
    document.dispatchEvent(new Event('visibilitychange'));
    await pass(0);
    expect(client.workspace).toHaveBeenCalledTimes(2);
  });
});

describe('isInside', () => {
  it('goes by whole names', () => {
    expect(isInside('a/b', 'a')).toBe(true);
    expect(isInside('ab', 'a')).toBe(false);
    expect(isInside('a', 'a')).toBe(true);
    expect(isInside('a', '')).toBe(true);
    expect(isInside('a', 'a/b')).toBe(false);
  });
});

describe('connectionOf', () => {
  it.each([
    [0, 'offline', 'offline'],
    [503, 'unknown', 'offline'],
    [404, 'missing', 'missing'],
    [404, 'no_workspace', null],
    [403, 'forbidden', 'forbidden'],
    [403, 'forbidden_path', null],
    [500, 'internal', null]
  ])('reads status %d, code %s as %s', (status, code, connection) => {
    expect(connectionOf(new ApiError(status, code, ''))).toBe(connection);
  });
});
