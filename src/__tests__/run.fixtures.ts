// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ServerConnection } from '@jupyterlab/services';

import { ApiClient } from '../api/client';
import type { RunDetail } from '../api/schema';

export const RUN_A = '11111111-aaaa-4aaa-8aaa-111111111111';
export const RUN_B = '22222222-bbbb-4bbb-8bbb-222222222222';
export const COMMIT_A = 'a'.repeat(64);
export const COMMIT_B = 'b'.repeat(64);

/** A run as the server tells it. */
export function makeRun(changes: Partial<RunDetail> = {}): RunDetail {
  return {
    id: RUN_A,
    sequence: 3,
    commit: COMMIT_A,
    description: 'train the model',
    authority: 'workload',
    status: 'succeeded',
    error: null,
    author: 'Ada',
    workload_type: 'jupyter',
    workload_file: 'notebooks/train.ipynb',
    started: '2026-03-04T05:06:07Z',
    ended: '2026-03-04T05:07:22Z',
    seconds: 75,
    created: '2026-03-04T05:07:23Z',
    parameters: { lr: 0.01, epochs: 10, model: 'svm', shuffle: true },
    metrics: { accuracy: 0.9375, loss: 0.125 },
    labels: {
      purpose: 'demo',
      'artefact:digits':
        '{"files":{"model":"model.joblib"},"type":"sklearn-model","version":"1.5"}'
    },
    inputs: [
      {
        path: 'data/clean.csv',
        version: COMMIT_B,
        digest: 'd'.repeat(64),
        size: 2048,
        made_by: RUN_B,
        made_in: null,
        authority: 'workload'
      }
    ],
    outputs: [
      {
        path: 'model.joblib',
        version: null,
        digest: 'e'.repeat(64),
        size: 10,
        made_by: null,
        made_in: null,
        authority: 'derived'
      }
    ],
    datasets: [],
    series: [],
    environment: {
      python: { version: '3.11.7', implementation: 'CPython' },
      platform: { text: 'Linux-6.1' },
      ram: 16000000000,
      git: { commit: 'c0ffee', branch: 'main', dirty: true },
      packages: { numpy: '2.1.0', pandas: '2.2.0' }
    },
    traceback: null,
    cell: { id: 'x', index: 2, execution_count: 7 },
    seeds: { numpy: 42 },
    resources: { cpu_seconds: 1.25, peak_ram: 104857600 },
    logs: [],
    models: ['digits'],
    ...changes
  };
}

/** What a server answers: a body, or a status with a body, by path below `dotscience/`. */
export type Answers = Record<
  string,
  unknown | (() => Response | Promise<Response>)
>;

/** A client whose requests are answered from a table, and the addresses that were asked. */
export function makeClient(answers: Answers): {
  client: ApiClient;
  asked: { path: string; query: URLSearchParams; init: RequestInit }[];
} {
  const asked: {
    path: string;
    query: URLSearchParams;
    init: RequestInit;
  }[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/lab-base/',
    fetch: async (info: RequestInfo | URL, init?: RequestInit) => {
      const request = new Request(info as RequestInfo, init);
      const url = new URL(request.url);
      const path = url.pathname.replace('/lab-base/dotscience/', '');
      asked.push({
        path,
        query: url.searchParams,
        init: { method: request.method, body: await request.text() }
      });
      const under = url.searchParams.get('under');
      const answer =
        answers[under === null ? path : `${path}?under=${under}`] ??
        answers[path];
      if (answer === undefined) {
        return json(
          { code: 'not_found', message: 'There is no such thing.' },
          404
        );
      }
      return typeof answer === 'function'
        ? (answer as () => Response)()
        : json(answer);
    }
  });
  return { client: new ApiClient(settings), asked };
}

/** An answer of JSON. */
export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json' }
  });
}
