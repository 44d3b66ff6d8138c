// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Column, LiveRun, Table } from '../api/schema';
import { ExplorerClient } from '../explorer/client';
import { fakeSettings } from './utils';

/** A canvas that draws nothing; import this file first, the grid wants one at once. */
const noDrawing = new Proxy(
  {},
  {
    get: (_, name) =>
      name === 'measureText' ? () => ({ width: 10 }) : () => undefined,
    set: () => true
  }
);
(HTMLCanvasElement.prototype as any).getContext = () => noDrawing;

/** Text that would do harm if it became markup. */
export const EVIL = '<img src=x onerror="window.hacked=1">';

/** A column. */
export function aColumn(fields: Partial<Column> = {}): Column {
  return {
    key: 'metrics.accuracy',
    kind: 'metric',
    name: 'accuracy',
    type: 'number',
    runs: 1000,
    minimum: 0,
    maximum: 1,
    values: [],
    ...fields
  };
}

/** What the runs of the tests have. */
export const COLUMNS: Column[] = [
  aColumn({
    key: 'description',
    kind: 'field',
    name: 'description',
    type: 'text'
  }),
  aColumn({ key: 'started', kind: 'field', name: 'started', type: 'time' }),
  aColumn({ key: 'status', kind: 'field', name: 'status', type: 'text' }),
  aColumn({
    key: 'parameters.depth',
    kind: 'parameter',
    name: 'depth',
    type: 'number'
  }),
  aColumn({
    key: 'parameters.model',
    kind: 'parameter',
    name: 'model',
    type: 'text'
  }),
  aColumn(),
  aColumn({ key: 'metrics.loss', name: 'loss' })
];

/** A run under way. */
export function aLiveRun(fields: Partial<LiveRun> = {}): LiveRun {
  return {
    id: 'live-1',
    state: 'running',
    description: 'still going',
    author: 'ada',
    workload_file: 'train.ipynb',
    started: '2026-02-03T04:05:06Z',
    updated: '2026-02-03T04:06:06Z',
    parameters: {},
    metrics: { loss: 0.5 },
    labels: {},
    series: [{ name: 'loss', count: 3, last: 0.5, step: 2 }],
    ...fields
  };
}

/** What was asked: the path below `dotscience/v1/` and the query. */
export interface IAsked {
  path: string;
  query: URLSearchParams;
  method: string;
}

/**
 * A server with runs `run-<n-1>` ... `run-0`, newest first. Answers may be held back.
 */
export class FakeServer {
  columns: Column[] = COLUMNS;
  live: LiveRun[] = [];
  total = 1000;
  head = 1000;
  asked: IAsked[] = [];
  /** Answers by path that take the place of the usual ones. */
  answers: Record<string, (query: URLSearchParams) => unknown> = {};
  /** Called before each answer; what it returns is waited for. */
  hold: (asked: IAsked) => Promise<void> | void = () => undefined;

  readonly client = new ExplorerClient(
    fakeSettings(request => this._answer(request)),
    'project'
  );

  /** The pages of the table that were asked for. */
  get offsets(): number[] {
    return this.asked
      .filter(each => each.path === 'table')
      .map(each => Number(each.query.get('offset')));
  }

  /** The id of the run of a row. */
  id(row: number): string {
    return `run-${this.total - row - 1}`;
  }

  private async _answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const asked = {
      path: url.pathname.split('/dotscience/v1/')[1],
      query: url.searchParams,
      method: request.method
    };
    this.asked.push(asked);
    await this.hold(asked);
    const given = this.answers[asked.path];
    const body = given ? given(asked.query) : this._usual(asked);
    if (body instanceof Response) {
      return body;
    }
    return new Response(JSON.stringify(body), {
      status: body === undefined ? 404 : 200
    });
  }

  private _usual({ path, query }: IAsked): unknown {
    switch (path) {
      case 'columns':
        return { items: this.columns };
      case 'live':
        return { items: this.live };
      case 'table':
        return this._table(query);
      case 'complete':
        return { start: 0, end: 0, items: [], error: '', position: -1 };
      default:
        return undefined;
    }
  }

  private _table(query: URLSearchParams): Table {
    const offset = Number(query.get('offset'));
    const limit = Number(query.get('limit'));
    const columns = JSON.parse(query.get('columns') ?? '[]') as string[];
    const rows = Array.from(
      { length: Math.max(0, Math.min(limit, this.total - offset)) },
      (_, index) => offset + index
    );
    return {
      columns,
      runs: rows.map(row => this.id(row)),
      rows: rows.map(row => columns.map(key => this.value(key, row))),
      best: { 'metrics.accuracy': [0, 0.999], 'metrics.loss': [0, 0.999] },
      total: this.total,
      offset,
      head: this.head
    };
  }

  /** The value of a row in a column. */
  value = (key: string, row: number): string | number | null => {
    switch (key) {
      case 'description':
        return `try ${this.total - row - 1}`;
      case 'started':
        return '2026-02-03T04:05:06Z';
      case 'status':
        return 'succeeded';
      case 'parameters.model':
        return ['svm', 'tree'][row % 2];
      default:
        return (row % 1000) / 1000;
    }
  };
}

/** Let requests and timers that are due happen. */
export async function rest(ms = 0): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms));
  await new Promise(resolve => setTimeout(resolve, 0));
}
