// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ExplorerModel } from '../explorer/model';
import { MAX_SELECTED } from '../explorer/state';
import { aLiveRun, FakeServer, rest } from './explorer.fixtures';
import { later } from './utils';

async function loaded(
  server: FakeServer,
  state?: unknown
): Promise<ExplorerModel> {
  const model = new ExplorerModel({ client: server.client, state });
  await model.load();
  await rest();
  return model;
}

describe('ExplorerModel', () => {
  let server: FakeServer;
  let model: ExplorerModel;

  beforeEach(async () => {
    server = new FakeServer();
    model = await loaded(server);
  });

  afterEach(() => model.dispose());

  it('reads columns and the first page', () => {
    expect(model.total).toBe(1000);
    expect(model.rows.row(0)).toMatchObject({
      id: 'run-999',
      values: { description: 'try 999' }
    });
    expect(model.rows.row(200)).toBeNull();
    expect(server.offsets).toEqual([0]);
    expect(model.query.columns[0]).toBe('description');
  });

  it('reads what is looked at, each page once', async () => {
    model.rows.want(350, 450);
    await rest();
    expect(server.offsets).toEqual([0, 200, 400]);
    model.rows.want(340, 440);
    await rest(60);
    expect(server.offsets).toEqual([0, 200, 400]);
    expect(model.rows.row(399)?.id).toBe('run-600');
  });

  it('asks for at most three pages at a time and drops those that were passed', async () => {
    const held: (() => void)[] = [];
    server.hold = ({ path }) => {
      const gate = later<void>();
      held.push(() => gate.resolve());
      return path === 'table' ? gate.promise : undefined;
    };
    model.rows.want(400, 999);
    await rest();
    expect(server.offsets).toEqual([0, 400, 600, 800]);
    const shown: number[] = [];
    model.rowsChanged.connect(() => shown.push(1));
    // On to the top before anything came: what is on its way is of no use any more.
    model.rows.want(0, 20);
    held.forEach(release => release());
    await rest(60);
    expect(shown).toEqual([]);
    expect(model.rows.row(600)).toBeNull();
  });

  it('leaves the sorting to the server', async () => {
    model.sortBy('metrics.loss', false);
    await rest();
    expect(server.asked[server.asked.length - 1].query.get('sort')).toBe(
      'metrics.loss asc'
    );
    model.sortBy('metrics.accuracy', true);
    await rest();
    expect(server.asked[server.asked.length - 1].query.get('sort')).toBe(
      'metrics.loss asc, metrics.accuracy desc'
    );
  });

  it('keeps what is shown until what takes its place has come', async () => {
    const gate = later<void>();
    server.hold = ({ path }) => (path === 'table' ? gate.promise : undefined);
    server.total = 10;
    model.update({ where: 'metrics.accuracy > 0.9' });
    await rest();
    expect(model.rows.row(0)?.id).toBe('run-999');
    gate.resolve();
    await rest();
    expect(model.total).toBe(10);
    expect(model.rows.row(0)?.id).toBe('run-9');
  });

  it('does not ask again when columns only change their order', async () => {
    const before = server.offsets.length;
    model.update({ columns: [...model.scrolling].reverse() });
    await rest();
    expect(server.offsets.length).toBe(before);
  });

  it('reads everything anew when runs came in between two pages', async () => {
    server.head = 1001;
    model.rows.want(0, 250);
    await rest(60);
    expect(server.offsets.filter(offset => offset === 0)).toHaveLength(2);
  });

  it('says what is wrong with a condition, and forgets it with the next', async () => {
    server.answers.table = () =>
      new Response(
        JSON.stringify({ code: 'invalid_where', message: 'no such thing' }),
        { status: 400 }
      );
    model.update({ where: 'metrics.' });
    await rest();
    expect(model.rowsError?.message).toBe('no such thing');
    delete server.answers.table;
    model.update({ where: '' });
    await rest();
    expect(model.rowsError).toBeNull();
  });

  it('knows the best value by the direction of its metric', () => {
    expect(model.isBest('metrics.loss', 0)).toBe(true);
    expect(model.isBest('metrics.loss', 0.999)).toBe(false);
    expect(model.isBest('metrics.accuracy', 0.999)).toBe(true);
    model.update({ directions: { 'metrics.accuracy': 'lower' } });
    expect(model.isBest('metrics.accuracy', 0.999)).toBe(false);
    expect(model.isBest('metrics.accuracy', 0)).toBe(true);
    model.update({ directions: { 'metrics.accuracy': 'none' } });
    expect(model.isBest('metrics.accuracy', 0)).toBe(false);
    expect(model.isBest('parameters.depth', 0)).toBe(false);
  });

  it('selects by click, with others and ranges', async () => {
    await model.selectRow(3, 'one');
    expect(model.selection.ids).toEqual(['run-996']);
    await model.selectRow(5, 'range');
    expect(model.selection.ids).toEqual(['run-996', 'run-995', 'run-994']);
    await model.selectRow(2, 'range');
    expect(model.selection.ids.sort()).toEqual(['run-996', 'run-997']);
    await model.selectRow(4, 'toggle');
    expect(model.selection.size).toBe(3);
    await model.selectRow(4, 'toggle');
    expect(model.selection.size).toBe(2);
    await model.selectRow(10, 'move');
    expect(model.selection.size).toBe(2);
    expect(model.selection.active).toBe('run-989');
  });

  it('reads the rows of a range that nobody looked at, and has an end', async () => {
    server.total = 5000;
    model.onRunsChanged();
    await rest();
    await model.selectRow(0, 'one');
    await model.selectRow(4999, 'range');
    expect(model.selection.size).toBe(MAX_SELECTED);
    expect(model.selection.has('run-4000')).toBe(true);
    expect(model.selection.has('run-3999')).toBe(false);
  });

  it('leaves runs selected when rows are others', async () => {
    await model.selectRow(0, 'one');
    model.update({ where: 'metrics.accuracy > 0.9' });
    expect(model.selection.ids).toEqual(['run-999']);
  });

  it('comes back as it was', async () => {
    model.update({ where: 'status = "failed"', widths: { started: 99 } });
    model.sortBy('metrics.loss', false);
    await model.selectRow(0, 'one');
    const again = await loaded(
      server,
      JSON.parse(JSON.stringify(model.toJSON()))
    );
    expect(again.toJSON()).toEqual(model.toJSON());
    expect(again.selection.ids).toEqual(model.selection.ids);
    again.dispose();
  });

  it('tells of runs under way, and has one marked as abandoned', async () => {
    server.live = [aLiveRun({ state: 'gone' })];
    await model.loadLive();
    expect(model.live).toHaveLength(1);
    server.answers['live/live-1/abandon'] = () => {
      server.live = [];
      return { run: 'live-1', message: 'recorded' };
    };
    expect(await model.abandon('live-1')).toBe('recorded');
    expect(server.asked.some(each => each.method === 'POST')).toBe(true);
    expect(model.live).toHaveLength(0);
  });

  it('has runs under way above the others, whatever the order', async () => {
    await model.selectRow(2, 'one');
    expect(model.selection.active).toBe('run-997');
    server.live = [
      aLiveRun({ parameters: { depth: 3 } }),
      aLiveRun({ id: 'live-2', state: 'gone' })
    ];
    await model.loadLive();
    expect(model.rows.count).toBe(1002);
    expect(model.total).toBe(1000);
    expect(model.rows.row(0)).toMatchObject({
      id: 'live-1',
      live: 'running',
      values: {
        description: 'still going',
        status: 'running',
        'parameters.depth': 3,
        'metrics.loss': 0.5,
        'metrics.accuracy': null
      }
    });
    expect(model.rows.row(1)?.live).toBe('gone');
    // what is selected stays so, and keys go on from where it is now
    expect(model.selection.row).toBe(4);
    expect(model.rows.row(4)?.id).toBe('run-997');
    model.sortBy('metrics.loss', false);
    await rest();
    expect([0, 1, 2].map(index => model.rows.row(index)?.id)).toEqual([
      'live-1',
      'live-2',
      'run-999'
    ]);
    server.live = [
      aLiveRun({ series: [{ name: 'loss', count: 9, last: 0.25, step: 8 }] })
    ];
    await model.loadLive();
    expect(model.rows.row(0)?.values['metrics.loss']).toBe(0.25);
    expect(model.rows.row(1)?.id).toBe('run-999');
    await model.selectRange(0, 201);
    expect(model.selection.size).toBe(202);
    expect(model.selection.ids[201]).toBe('run-799');
  });

  it('has the row of a published run in the place of that under way', async () => {
    server.live = [aLiveRun({ id: 'run-1000' })];
    await model.loadLive();
    await model.selectRow(0, 'one');
    const shown: (string | undefined)[] = [];
    model.rowsChanged.connect(() => {
      shown.push(`${model.rows.row(0)?.id} ${model.rows.row(1)?.id}`);
    });
    server.total = 1001;
    server.head = 1001;
    // it is recorded, and nobody told yet that it is not under way any more
    model.onRunsChanged();
    await rest();
    expect(shown).toEqual(['run-1000 run-999']);
    expect(model.rows.row(0)?.live).toBeUndefined();
    expect(model.rows.count).toBe(1001);
    expect(model.selection.ids).toEqual(['run-1000']);
    expect(model.selection.row).toBe(0);
  });

  it('asks for nothing once it is gone', async () => {
    model.dispose();
    const before = server.asked.length;
    model.rows.want(400, 500);
    await rest(60);
    expect(model.rows.row(400)).toBeNull();
    expect(server.asked.length).toBeLessThanOrEqual(before + 2);
  });
});
