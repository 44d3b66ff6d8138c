// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { PanelLayout, Widget } from '@lumino/widgets';

import { runsOf } from '../provenance/cells';
import { NotebookMarkers } from '../provenance/markers';
import { RecordedRuns } from '../provenance/recorded';
import { RUN_MIME_TYPE } from '../tokens';
import { RUN_A, RUN_B, makeClient, makeRun } from './run.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');
const EVIL = '<img src=x onerror=alert(1)>';

/** Outputs as a cell's model has them. */
class Outputs {
  constructor(public list: { type: string; data: object }[] = []) {}

  get length(): number {
    return this.list.length;
  }

  get(index: number): { type: string; data: object } {
    return this.list[index];
  }

  changed = new Signal<Outputs, unknown>(this);
  stateChanged = new Signal<Outputs, unknown>(this);
}

function card(id: string, fields: object = {}): { type: string; data: object } {
  const run = { summary: { accuracy: '0.93' }, ...fields };
  return {
    type: 'display_data',
    data: {
      [RUN_MIME_TYPE]: { id, run, types: { summary: { accuracy: 'float' } } }
    }
  };
}

function stdout(text: string): { type: string; data: object } {
  return { type: 'stream', data: { 'application/vnd.jupyter.stdout': text } };
}

const block = (id: string, run: object): string =>
  `[[DOTSCIENCE-RUN:${id}]]${JSON.stringify(run)}[[/DOTSCIENCE-RUN:${id}]]`;

describe('runsOf', () => {
  it('finds runs in cards and in text, each once', () => {
    const text = `before\n${block(RUN_A, { summary: { loss: '1' } })}\nbetween\n${block(
      RUN_B,
      { error: 'no luck', description: 'second' }
    )}\nafter`;
    expect(runsOf(new Outputs([stdout(text), card(RUN_A)]))).toEqual([
      {
        id: RUN_A,
        description: '',
        failed: false,
        metric: { name: 'accuracy', text: '0.93', count: null }
      },
      { id: RUN_B, description: 'second', failed: true, metric: null }
    ]);
  });

  it('bears what only looks like a run', () => {
    expect(
      runsOf(
        new Outputs([
          stdout('[[DOTSCIENCE-RUN:x]]{not json}[[/DOTSCIENCE-RUN:x]]'),
          stdout('[[DOTSCIENCE-RUN:x]]{"cut'),
          stdout('}[[/DOTSCIENCE-RUN:x]]'),
          { type: 'display_data', data: { [RUN_MIME_TYPE]: 'nonsense' } },
          { type: 'display_data', data: { [RUN_MIME_TYPE]: { id: 7 } } },
          { type: 'error', data: {} }
        ])
      )
    ).toEqual([]);
  });
});

/** A code cell with the parts that markers use. */
function aCell(id: string, outputs = new Outputs(), type = 'code') {
  const cell = new Widget() as any;
  const layout = new PanelLayout();
  cell.layout = layout;
  for (const name of ['jp-CellHeader', 'jp-Cell-inputWrapper', 'jp-footer']) {
    const part = new Widget();
    part.addClass(name);
    layout.addWidget(part);
  }
  cell.model = { id, type, outputs };
  cell.isPlaceholder = () => false;
  return cell;
}

/** Tells that an element is in view when a test says so. */
class Observer {
  static last: Observer;
  observed = new Set<Element>();

  constructor(private callback: (entries: any[]) => void) {
    Observer.last = this;
  }

  observe(node: Element): void {
    this.observed.add(node);
  }

  unobserve(node: Element): void {
    this.observed.delete(node);
  }

  disconnect(): void {
    this.observed.clear();
  }

  see(...cells: any[]): void {
    this.callback(
      cells.map(({ node }) => ({ isIntersecting: true, target: node }))
    );
  }
}

function start(cells: any[]) {
  const panel = new Widget() as any;
  panel.content = {
    widgets: cells,
    modelContentChanged: new Signal<object, void>({})
  };
  const openRun = jest.fn();
  const markers = new NotebookMarkers({ panel, openRun, trans });
  const textsOf = (cell: any): (string | null)[] =>
    [...cell.node.querySelectorAll('.jp-DotscienceMarker button')].map(
      (button: any) => button.textContent
    );
  return { panel, openRun, markers, textsOf, observer: Observer.last };
}

describe('NotebookMarkers', () => {
  beforeEach(() => {
    (globalThis as any).IntersectionObserver = Observer;
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
    delete (globalThis as any).IntersectionObserver;
  });

  it('look only at code cells that came into view', () => {
    const cells = Array.from({ length: 500 }, (_, n) =>
      aCell(`c${n}`, new Outputs([card(RUN_A)]))
    );
    const get = jest.spyOn(Outputs.prototype, 'get');
    const text = aCell('text', new Outputs(), 'markdown');
    const { observer, textsOf } = start([...cells, text]);
    expect(observer.observed.size).toBe(500);
    expect(get).not.toHaveBeenCalled();
    observer.see(cells[7]);
    expect(textsOf(cells[7])).toEqual(['Run 11111111 · accuracy 0.93']);
    expect(textsOf(cells[8])).toEqual([]);
    expect(get).toHaveBeenCalledTimes(1);
    get.mockRestore();
  });

  it('stand below the input and open the run', () => {
    const cell = aCell('c', new Outputs([card(RUN_A)]));
    const { observer, openRun } = start([cell]);
    observer.see(cell);
    const marker = cell.node.children[2];
    expect(marker.className).toContain('jp-DotscienceMarker');
    expect(marker.getAttribute('aria-label')).toBe(
      'Runs that this cell published'
    );
    marker.querySelector('button').click();
    expect(openRun).toHaveBeenCalledWith(RUN_A);
  });

  it('follow what is published, once it comes no more', () => {
    const outputs = new Outputs();
    const cell = aCell('c', outputs);
    const { observer, textsOf } = start([cell]);
    observer.see(cell);
    expect(textsOf(cell)).toEqual([]);
    outputs.list = [card(RUN_A, { error: 'no luck' })];
    outputs.changed.emit(null);
    expect(textsOf(cell)).toEqual([]);
    jest.advanceTimersByTime(1000);
    expect(textsOf(cell)).toEqual(['Run 11111111 · failed']);
    outputs.list = [];
    outputs.stateChanged.emit(null);
    jest.advanceTimersByTime(1000);
    expect(cell.node.children).toHaveLength(3);
  });

  it('mark cells that were added, and let go of those that went', () => {
    const { panel, observer, textsOf } = start([]);
    const cell = aCell('c', new Outputs([card(RUN_A)]));
    panel.content.widgets = [cell];
    panel.content.modelContentChanged.emit();
    observer.see(cell);
    expect(textsOf(cell)).toHaveLength(1);
    cell.dispose();
    jest.advanceTimersByTime(1000);
    panel.dispose();
  });

  it('show what is recorded where outputs were cleared', () => {
    const outputs = new Outputs();
    const cell = aCell('c', outputs);
    const { observer, markers, textsOf } = start([cell]);
    observer.see(cell);
    markers.setRecorded(
      new Map([
        ['c', { id: RUN_B, description: EVIL, failed: false, metric: null }]
      ])
    );
    expect(textsOf(cell)).toEqual(['Run 22222222']);
    const button = cell.node.querySelector('button');
    expect(button.title).toContain(EVIL);
    expect(button.title).toContain('no longer here');
    outputs.list = [card(RUN_A)];
    outputs.changed.emit(null);
    jest.advanceTimersByTime(1000);
    expect(textsOf(cell)).toEqual(['Run 11111111 · accuracy 0.93']);
  });

  it('fold many runs, and keep text text', () => {
    const cell = aCell(
      'c',
      new Outputs(
        [1, 2, 3, 4, 5].map(n =>
          card(`${n}`.repeat(8), { summary: { [EVIL]: '1' } })
        )
      )
    );
    const { observer, textsOf } = start([cell]);
    observer.see(cell);
    expect(textsOf(cell)).toHaveLength(4);
    expect(textsOf(cell)[0]).toBe(`Run 11111111 · ${EVIL} 1`);
    expect(textsOf(cell)[3]).toBe('and 2 more');
    cell.node.querySelectorAll('button')[3].click();
    expect(textsOf(cell)).toHaveLength(5);
    expect(cell.node.querySelector('img')).toBeNull();
  });

  it('go without a trace', () => {
    const outputs = new Outputs([card(RUN_A)]);
    const cell = aCell('c', outputs);
    const { observer, markers, textsOf } = start([cell]);
    observer.see(cell);
    markers.dispose();
    expect(cell.node.children).toHaveLength(3);
    outputs.changed.emit(null);
    jest.advanceTimersByTime(1000);
    expect(textsOf(cell)).toEqual([]);
  });
});

describe('RecordedRuns', () => {
  it('knows the newest run of each cell, and reads each run once', async () => {
    const run = (id: string, cell: string | null) =>
      makeRun({
        id,
        metrics: { b: 2, a: 0.5 },
        cell: cell === null ? null : { id: cell, index: 0, execution_count: 1 }
      });
    const items = ['n3', 'n2', 'n1', 'n0'].map(id => ({ id }));
    const { client, asked } = makeClient({
      'v1/runs': { items, total: 4, offset: 0, metrics: [], parameters: [] },
      'v1/runs/n3': run('n3', 'x'),
      'v1/runs/n2': run('n2', 'y'),
      'v1/runs/n1': run('n1', 'x'),
      'v1/runs/n0': run('n0', null)
    });
    const recorded = new RecordedRuns(client);
    const runs = await recorded.ofNotebook('w', "o'clock.ipynb");
    expect([...runs].map(([cell, { id }]) => [cell, id])).toEqual([
      ['x', 'n3'],
      ['y', 'n2']
    ]);
    expect(runs.get('x')?.metric).toEqual({ name: 'a', text: '0.5' });
    expect(asked[0].query.get('where')).toBe("file = 'o''clock.ipynb'");
    expect(asked).toHaveLength(5);
    await recorded.ofNotebook('w', "o'clock.ipynb");
    expect(asked).toHaveLength(6);
  });
});
