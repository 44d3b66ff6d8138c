// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { Panel, type Widget } from '@lumino/widgets';

import type { ApiClient } from '../api/client';
import type {
  LiveList,
  RunList,
  RunSummary,
  Status,
  Version,
  Workspace,
  WorkspaceAnswer
} from '../api/schema';
import type { IWorkspaceEvent } from '../tokens';
import { EVENT_SCHEMA } from '../tokens';
import { VERSION } from '../version';

/** The main area of a shell, which takes what is added to it. */
export function anArea(added: Widget[]): jest.Mock {
  const area = new Panel();
  return jest.fn((widget: Widget) => {
    added.push(widget);
    area.addWidget(widget);
  });
}

/** A run as a row. */
export function aRun(fields: Partial<RunSummary> = {}): RunSummary {
  return {
    id: '0a1b2c3d-0000-4000-8000-000000000001',
    sequence: 1,
    commit: 'c0ffee00',
    description: 'Train an SVM',
    authority: 'workload',
    status: 'succeeded',
    error: null,
    author: 'ada',
    workload_type: 'notebook',
    workload_file: 'work/train.ipynb',
    started: '2026-02-03T04:05:06Z',
    ended: '2026-02-03T04:05:36Z',
    seconds: 30,
    created: '2026-02-03T04:05:37Z',
    parameters: { model: 'svm' },
    metrics: { accuracy: 0.953211, loss: 0.12 },
    labels: {},
    ...fields
  };
}

/** A workspace. */
export function aWorkspace(fields: Partial<Workspace> = {}): Workspace {
  return {
    id: 'w1',
    path: 'project',
    prefix: '',
    name: 'project',
    engine: 'embedded',
    engine_state: { watching: true, put_off: false },
    head: 'c0ffee00',
    commits: 1,
    runs: 1,
    created: '2026-02-03T00:00:00Z',
    ...fields
  };
}

/** A status. */
export function aStatus(fields: Partial<Status> = {}): Status {
  return {
    status: 'clean',
    error_detail: [],
    changed_files: [],
    more_changed_files: 0,
    unclaimed_files: [],
    more_unclaimed_files: 0,
    notebooks: {},
    message: 'Everything is committed.',
    ...fields
  };
}

/** An event of the server. */
export function anEvent(
  fields: Partial<IWorkspaceEvent> = {}
): IWorkspaceEvent & { schema_id: string } {
  return {
    schema_id: EVENT_SCHEMA,
    workspace: 'project',
    workspace_id: 'w1',
    action: 'committed',
    state: 'clean',
    changed: 0,
    message: '',
    head: 'c0ffee01',
    runs: [],
    total_runs: 0,
    ...fields
  };
}

/** Jupyter's event bus, by hand. */
export class FakeEvents {
  readonly stream = new Signal<any, any>(this);
}

/** A server with one workspace in memory; any method may be replaced. */
export class FakeClient {
  answer: WorkspaceAnswer = {
    workspace: aWorkspace(),
    suggested_path: null,
    reason: ''
  };
  state: Status = aStatus();
  rows: RunSummary[] = [];

  version = jest.fn(async (): Promise<Version> => ({ version: VERSION }));
  workspace = jest.fn(async (path: string) => this.answer);
  status = jest.fn(async (path: string, fresh = false) => this.state);
  live = jest.fn(async (path: string): Promise<LiveList> => ({ items: [] }));
  createWorkspace = jest.fn(async (path: string, force = false) =>
    aWorkspace({ path })
  );
  runs = jest.fn(
    async (path: string, query: ApiClient.IRunsQuery): Promise<RunList> =>
      page(this.rows, query.offset, query.limit)
  );

  /** As what the code under test takes. */
  get client(): ApiClient {
    return this as unknown as ApiClient;
  }
}

/** A part of a list of runs as the server gives it. */
export function page(
  rows: readonly RunSummary[],
  offset = 0,
  limit = 100
): RunList {
  return {
    items: rows.slice(offset, offset + limit),
    total: rows.length,
    offset,
    metrics: ['accuracy', 'loss', 'recall'],
    parameters: ['model']
  };
}

/** As many runs as asked for, newest first: `run-<n-1>` ... `run-0`. */
export function manyRuns(count: number): RunSummary[] {
  return Array.from({ length: count }, (_, index) => {
    const sequence = count - index - 1;
    return aRun({
      id: `run-${sequence}`,
      sequence,
      description: `Run number ${sequence}`
    });
  });
}

/** Server settings whose `fetch` answers by hand. */
export function fakeSettings(
  fetch: (request: Request) => Promise<Response>
): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/a%40b/',
    token: '',
    fetch: ((input: RequestInfo, init?: RequestInit) =>
      fetch(new Request(input, init))) as typeof globalThis.fetch
  });
}

/** Let everything that is waiting happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
}

/** A promise that is kept by hand. */
export function later<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
