// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ApiClient } from '../api/client';
import { ApiError } from '../api/client';
import type { RunList, RunSummary } from '../api/schema';
import { MAX_PAGES, RunsModel, type IRunsChange } from '../panel/runs';
import { aRun, later, manyRuns, page, settle } from './utils';

/** A server with a list of runs, and what was asked of it. */
class Server {
  constructor(public rows: RunSummary[]) {}
  asked: ApiClient.IRunsQuery[] = [];
  load: RunsModel.Load = async query => {
    this.asked.push(query);
    return page(this.rows, query.offset, query.limit);
  };
  add(...ids: string[]): void {
    this.rows = [...ids.map(id => aRun({ id })), ...this.rows];
  }
}

async function open(rows: RunSummary[]): Promise<{
  server: Server;
  model: RunsModel;
  changes: IRunsChange[];
}> {
  const server = new Server(rows);
  const model = new RunsModel((...args) => server.load(...args));
  const changes: IRunsChange[] = [];
  model.changed.connect((_, change) => void changes.push(change));
  model.setSource('w1');
  await settle();
  return { server, model, changes };
}

describe('RunsModel', () => {
  it('asks for one page of ten thousand runs, and for others when they are seen', async () => {
    const { server, model } = await open(manyRuns(10_000));
    expect(model.total).toBe(10_000);
    expect(server.asked).toHaveLength(1);
    expect(model.get(0)?.id).toBe('run-9999');
    expect(model.get(5000)).toBeUndefined();

    model.ensure(4990, 5030);
    await settle();
    expect(server.asked.slice(1).map(query => query.offset)).toEqual([
      4900, 5000
    ]);
    expect(model.get(5000)?.id).toBe('run-4999');
  });

  it('does not ask for what was scrolled past', async () => {
    const { server, model } = await open(manyRuns(10_000));
    const gate = later<void>();
    const { load } = server;
    server.load = async (query, signal) => {
      await gate.promise;
      return load(query, signal);
    };
    for (let row = 0; row < 10_000; row += 50) {
      model.ensure(row, row + 40);
    }
    gate.resolve();
    await settle();
    await settle();
    const offsets = server.asked.map(query => query.offset);
    expect(offsets).toContain(9900);
    expect(offsets.length).toBeLessThan(6);
    expect(model.get(9950)).toBeDefined();
  });

  it('keeps a bounded number of pages, those seen last', async () => {
    const { server, model } = await open(manyRuns(5000));
    for (let row = 0; row < 5000; row += 100) {
      model.ensure(row, row + 20);
      await settle();
    }
    const kept = Array.from({ length: 50 }, (_, i) => model.get(i * 100));
    expect(kept.filter(run => run !== undefined)).toHaveLength(MAX_PAGES);
    expect(kept[49]).toBeDefined();
    expect(kept[0]).toBeUndefined();
    const before = server.asked.length;
    model.ensure(4900, 4920);
    await settle();
    expect(server.asked).toHaveLength(before);
  });

  it('puts new runs on top and tells by how much the visible ones moved', async () => {
    const { server, model, changes } = await open(manyRuns(1000));
    model.ensure(500, 520);
    await settle();
    const anchor = model.get(500)?.id;
    server.add('new-2', 'new-1');
    changes.length = 0;
    await model.reload();
    expect(changes).toEqual([{ reset: false, shift: 2 }]);
    expect(model.total).toBe(1002);
    expect(model.get(0)?.id).toBe('new-2');
    // The rows that are looked at are here at once, at their new place.
    expect(model.get(502)?.id).toBe(anchor);
    expect(model.get(521)).toBeDefined();
  });

  it('reads once more when runs came while it was reading', async () => {
    const { server, model } = await open(manyRuns(10));
    const gate = later<void>();
    const { load } = server;
    server.load = async (query, signal) => {
      const answer = await load(query, signal);
      await gate.promise;
      return answer;
    };
    server.add('one');
    const first = model.reload();
    await settle();
    server.add('two');
    void model.reload();
    server.add('three');
    void model.reload();
    gate.resolve();
    await first;
    expect(model.get(0)?.id).toBe('three');
    expect(server.asked).toHaveLength(3);
  });

  it('reads anew when a page shows that the list has grown', async () => {
    const { server, model } = await open(manyRuns(300));
    server.add('new');
    model.ensure(150, 170);
    await settle();
    await settle();
    expect(model.total).toBe(301);
    expect(model.get(0)?.id).toBe('new');
    expect(model.get(151)?.id).toBe('run-149');
  });

  it('asks with the filter and shows the old rows until the new ones are here', async () => {
    const { server, model, changes } = await open(manyRuns(5));
    const gate = later<RunList>();
    server.load = async query => {
      server.asked.push(query);
      return gate.promise;
    };
    model.setFilter({ search: 'svm', sort: 'metrics.accuracy desc' });
    expect(server.asked[1]).toMatchObject({
      search: 'svm',
      sort: 'metrics.accuracy desc',
      offset: 0
    });
    expect(model.isStale).toBe(true);
    expect(model.get(0)?.id).toBe('run-4');
    gate.resolve(page([aRun({ id: 'match' })]));
    await settle();
    expect(model.isStale).toBe(false);
    expect(model.total).toBe(1);
    expect(model.get(0)?.id).toBe('match');
    expect(changes[changes.length - 1].reset).toBe(true);
  });

  it('never shows the answer to an older question', async () => {
    const { server, model } = await open(manyRuns(1));
    const answers: Record<string, ReturnType<typeof later<RunList>>> = {
      a: later<RunList>(),
      ab: later<RunList>()
    };
    const signals: Record<string, AbortSignal> = {};
    server.load = async (query, signal) => {
      signals[query.search ?? ''] = signal;
      return answers[query.search ?? ''].promise;
    };
    model.setFilter({ search: 'a' });
    model.setFilter({ search: 'ab' });
    expect(signals.a.aborted).toBe(true);
    expect(signals.ab.aborted).toBe(false);
    answers.ab.resolve(page([aRun({ id: 'right' })]));
    await settle();
    answers.a.resolve(page([aRun({ id: 'wrong' })]));
    await settle();
    expect(model.get(0)?.id).toBe('right');
  });

  it('keeps the rows and says what is wrong with a condition', async () => {
    const { server, model } = await open(manyRuns(300));
    const { load } = server;
    server.load = async (query, signal) => {
      if (query.where) {
        throw new ApiError(400, 'invalid_where', 'There is no field x');
      }
      return load(query, signal);
    };
    model.setFilter({ where: 'x' });
    await settle();
    expect(model.whereError?.message).toBe('There is no field x');
    expect(model.error).toBeNull();
    expect(model.get(0)?.id).toBe('run-299');
    // Scrolling on goes by the last good condition.
    model.ensure(210, 230);
    await settle();
    expect(model.get(220)).toBeDefined();
    model.setFilter({ where: '' });
    await settle();
    expect(model.whereError).toBeNull();
  });

  it('says that the list cannot be read, and recovers', async () => {
    const server = new Server(manyRuns(3));
    const { load } = server;
    const model = new RunsModel((...args) => server.load(...args));
    server.load = () => Promise.reject(new ApiError(500, 'internal', 'Oops'));
    model.setSource('w1');
    await settle();
    expect(model.error?.message).toBe('Oops');
    server.load = load;
    await model.reload();
    expect(model.error).toBeNull();
    expect(model.total).toBe(3);
  });

  it('forgets the runs of another workspace', async () => {
    const { server, model } = await open(manyRuns(300));
    server.rows = [];
    model.setSource('w2');
    expect(model.total).toBe(0);
    expect(model.isReady).toBe(false);
    expect(model.get(0)).toBeUndefined();
    await settle();
    expect(model.isReady).toBe(true);
    model.dispose();
    expect(model.isDisposed).toBe(true);
  });
});
