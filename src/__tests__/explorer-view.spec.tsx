// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import {
  aColumn,
  aLiveRun,
  COLUMNS,
  EVIL,
  FakeServer,
  rest
} from './explorer.fixtures';
import { nullTranslator } from '@jupyterlab/translation';
import {
  act,
  cleanup,
  fireEvent,
  render,
  screen,
  within
} from '@testing-library/react';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { Completion } from '../api/schema';
import { toSvg } from '../explorer/charts/export';
import { ImportanceView } from '../explorer/charts/importanceview';
import { layoutParallel } from '../explorer/charts/parallel';
import { ParallelView } from '../explorer/charts/parallelview';
import { layoutScatter } from '../explorer/charts/scatter';
import { ScatterView } from '../explorer/charts/scatterview';
import { SeriesView } from '../explorer/charts/seriesview';
import { makeChart, type IScatterChart } from '../explorer/charts/state';
import { ColumnList } from '../explorer/columns';
import { FilterBox } from '../explorer/filter';
import { RunsGrid } from '../explorer/grid';
import { LiveStrip } from '../explorer/live';
import { ExplorerModel } from '../explorer/model';
import { readTheme } from '../explorer/theme';
import { ExplorerToolbar } from '../explorer/toolbar';

jest.mock('uplot', () => ({
  __esModule: true,
  default: Object.assign(
    jest.fn(() => ({ destroy: jest.fn(), setData: jest.fn(), width: 160 })),
    { paths: { linear: () => undefined } }
  )
}));

const trans = nullTranslator.load('dotscience_jupyter');
const theme = readTheme(document.body);

afterEach(() => {
  cleanup();
  expect((window as any).hacked).toBeUndefined();
});

async function loaded(server: FakeServer): Promise<ExplorerModel> {
  const model = new ExplorerModel({ client: server.client });
  await act(async () => {
    await model.load();
    await rest();
  });
  return model;
}

async function waiting(ms = 0): Promise<void> {
  await act(() => rest(ms));
}

describe('FilterBox', () => {
  const suggestions: Completion = {
    start: 0,
    end: 3,
    items: [
      {
        text: 'metrics.accuracy',
        label: 'metrics.accuracy',
        kind: 'metric',
        detail: ''
      },
      { text: 'metrics."x"', label: EVIL, kind: 'metric', detail: EVIL }
    ],
    error: 'a value is missing',
    position: 3
  };

  function show(answer: Completion, problem: string | null = null) {
    const apply = jest.fn();
    const complete = jest.fn(async () => answer);
    render(
      <FilterBox
        where=""
        problem={problem}
        complete={complete}
        apply={apply}
        trans={trans}
      />
    );
    const box = screen.getByRole('combobox') as HTMLInputElement;
    return { apply, complete, box };
  }

  it('says how a condition may go on, by keyboard', async () => {
    const { apply, box } = show(suggestions);
    fireEvent.focus(box);
    fireEvent.change(box, { target: { value: 'met' } });
    await waiting(180);
    expect(box.getAttribute('aria-expanded')).toBe('true');
    const options = screen.getAllByRole('option');
    expect(options).toHaveLength(2);
    expect(options[1].textContent).toContain(EVIL);
    fireEvent.keyDown(box, { key: 'ArrowDown' });
    expect(box.getAttribute('aria-activedescendant')).toBe(options[0].id);
    expect(options[0].getAttribute('aria-selected')).toBe('true');
    fireEvent.keyDown(box, { key: 'Enter' });
    expect(box.value).toBe('metrics.accuracy');
    expect(apply).not.toHaveBeenCalled();
    expect(screen.queryByRole('option')).toBeNull();
  });

  it('closes with Escape and leaves the text alone', async () => {
    const { box } = show(suggestions);
    fireEvent.focus(box);
    fireEvent.change(box, { target: { value: 'met' } });
    await waiting(180);
    fireEvent.keyDown(box, { key: 'Escape' });
    expect(screen.queryByRole('option')).toBeNull();
    expect(box.value).toBe('met');
  });

  it('applies what can be understood, and says what cannot', async () => {
    const { apply, box, complete } = show({
      ...suggestions,
      items: [],
      error: '',
      position: -1
    });
    fireEvent.focus(box);
    fireEvent.change(box, { target: { value: 'seconds > 3' } });
    await waiting(180);
    expect(apply).toHaveBeenCalledWith('seconds > 3');
    complete.mockResolvedValue(suggestions);
    fireEvent.change(box, { target: { value: '😀 >>' } });
    await waiting(950);
    const alert = screen.getByRole('alert');
    expect(alert.textContent).toContain('a value is missing');
    // The mark stands below the character that is wrong; a smiley is one, of two units.
    const [, mark] = alert.querySelector('pre')!.textContent!.split('\n');
    expect(mark).toBe('    ▲');
    expect(box.getAttribute('aria-invalid')).toBe('true');
    expect(apply).toHaveBeenCalledTimes(1);
  });

  it('applies with Enter whatever it is', () => {
    const { apply, box } = show(suggestions);
    fireEvent.change(box, { target: { value: ' status = ' } });
    fireEvent.keyDown(box, { key: 'Enter' });
    expect(apply).toHaveBeenCalledWith('status =');
  });
});

describe('the table', () => {
  it('tells readers its rows, the active one and the best values', async () => {
    const server = new FakeServer();
    const value = server.value;
    server.value = (key, row) =>
      key === 'description' && row === 1 ? EVIL : value(key, row);
    const model = await loaded(server);
    const grid = new RunsGrid({
      model,
      themeManager: null,
      trans,
      open: jest.fn(),
      menu: jest.fn()
    });
    await model.selectRow(1, 'one');
    const node = grid.viewport.node;
    expect(node.getAttribute('role')).toBe('grid');
    expect(node.tabIndex).toBe(0);
    expect(node.getAttribute('aria-rowcount')).toBe('1001');
    const active = node.querySelector(
      `[id="${node.getAttribute('aria-activedescendant')}"]`
    )!;
    expect(active.textContent).toContain(EVIL);
    expect(active.getAttribute('aria-selected')).toBe('true');
    expect(active.querySelector('img')).toBeNull();
    await model.selectRow(0, 'one');
    const first = node.querySelector('[aria-rowindex="2"]')!;
    expect(first.textContent).toContain('0 (best)');
    model.sortBy('metrics.loss', false);
    await rest();
    const header = [...node.querySelectorAll('[role="columnheader"]')].find(
      each => each.textContent === 'loss'
    );
    await rest(200);
    expect(
      [...node.querySelectorAll('[role="columnheader"]')]
        .find(each => each.textContent === 'loss')
        ?.getAttribute('aria-sort')
    ).toBe('ascending');
    expect(header).toBeTruthy();
    grid.dispose();
    model.dispose();
  });

  it('marks runs under way, which cannot be compared yet', async () => {
    const server = new FakeServer();
    server.live = [aLiveRun({ description: EVIL })];
    const model = await loaded(server);
    const grid = new RunsGrid({
      model,
      themeManager: null,
      trans,
      open: jest.fn(),
      menu: jest.fn()
    });
    await model.selectRange(0, 1);
    const { node } = grid.viewport;
    expect(node.getAttribute('aria-rowcount')).toBe('1002');
    await model.selectRow(0, 'move');
    const first = node.querySelector('[aria-rowindex="2"]')!;
    expect(first.textContent).toContain(`${EVIL} (running)`);
    expect(first.textContent).not.toContain('best');
    expect(first.querySelector('img')).toBeNull();
    const onCompare = jest.fn();
    const other = jest.fn();
    const { unmount } = render(
      <ExplorerToolbar
        {...{ model, trans, onCompare }}
        isChartsShown={false}
        onCharts={other}
        onOpen={other}
        onCsv={other}
        onLink={other}
      />
    );
    const compare = screen.getByRole('button', { name: 'Compare' });
    expect(compare.hasAttribute('disabled')).toBe(true);
    expect(compare.title).toContain('once it is published');
    await act(() => model.selectRange(1, 2));
    fireEvent.click(compare);
    expect(onCompare).toHaveBeenCalledWith('run-999', 'run-998');
    unmount();
    grid.dispose();
    model.dispose();
  });

  it('has headers that keys reach, sort, resize and move', async () => {
    const model = await loaded(new FakeServer());
    const grid = new RunsGrid({
      model,
      themeManager: null,
      trans,
      open: jest.fn(),
      menu: jest.fn()
    });
    Widget.attach(grid, document.body);
    const press = async (key: string, more: object = {}): Promise<void> => {
      const event = new KeyboardEvent('keydown', {
        key,
        cancelable: true,
        ...more
      });
      grid.keyHandler!.onKeyDown(grid, event);
      expect(event.defaultPrevented).toBe(true);
      await rest();
    };
    const node = grid.viewport.node;
    const at = (): Element =>
      node.querySelector(
        `[id="${node.getAttribute('aria-activedescendant')}"]`
      )!;
    const said = (): string =>
      grid.node.querySelector('[role="status"]')!.textContent!;
    const menu = (): HTMLElement =>
      document.querySelector<HTMLElement>('.lm-Menu')!;

    await press('Home');
    expect(at().getAttribute('role')).toBe('row');
    await press('ArrowUp');
    expect(at().getAttribute('role')).toBe('columnheader');
    expect(at().textContent).toBe('Description');
    expect(said()).toContain('Enter sorts');
    await press('ArrowLeft');
    expect(at().textContent).toBe('Description');
    await press('End');
    const last = [...model.pinned, ...model.scrolling].pop()!;
    expect(at().textContent).toBe(model.column(last)!.name);
    await press('Home');
    await press('ArrowRight');
    expect(at().textContent).toBe('Started');
    await press('Enter');
    expect(model.state.sort).toEqual([{ key: 'started', descending: true }]);
    await rest(200);
    expect(at().getAttribute('aria-sort')).toBe('descending');
    expect(said()).toBe('Started, sorted descending');
    await press('ArrowRight', { shiftKey: true });
    const wide = model.state.widths.started;
    await press('ArrowLeft', { shiftKey: true });
    expect(model.state.widths.started).toBe(wide - 10);
    expect(said()).toContain(`${wide - 10} pixels wide`);

    // the menu, from the keyboard
    await press('F10', { shiftKey: true });
    const items = [...menu().querySelectorAll('.lm-Menu-itemLabel')]
      .map(each => each.textContent)
      .filter(Boolean);
    expect(items).toEqual([
      'Sort Ascending',
      'Sort Descending',
      'Do Not Sort by It',
      'Move Left',
      'Move Right',
      'Pin at the Left',
      'Fit Width to Content',
      'Hide'
    ]);
    const choose = async (label: string): Promise<void> => {
      const active = (): string =>
        menu().querySelector('.lm-mod-active .lm-Menu-itemLabel')
          ?.textContent ?? '';
      for (let n = 0; active() !== label && n < 20; n++) {
        fireEvent.keyDown(menu(), { keyCode: 40 });
        MessageLoop.flush();
      }
      expect(active()).toBe(label);
      fireEvent.keyDown(menu(), { keyCode: 13 });
      await rest();
    };
    const before = [...model.scrolling];
    await choose('Move Right');
    expect(model.scrolling.slice(0, 2)).toEqual([before[1], before[0]]);
    expect(document.activeElement).toBe(node);
    await press('ArrowDown', { altKey: true });
    await choose('Hide');
    expect(model.scrolling).not.toContain('started');
    // the cursor stays where it was: on the column that came there
    await rest(200);
    expect(at().getAttribute('role')).toBe('columnheader');
    expect(at().textContent).not.toBe('Started');

    await press('ArrowDown');
    expect(at().getAttribute('role')).toBe('row');
    await press('ArrowUp');
    await press('Escape');
    expect(at().getAttribute('role')).toBe('row');
    expect(model.selection.size).toBe(1);
    grid.dispose();
    model.dispose();
  });

  it('is driven by keys', async () => {
    const model = await loaded(new FakeServer());
    const open = jest.fn();
    const menu = jest.fn();
    const grid = new RunsGrid({ model, themeManager: null, trans, open, menu });
    const press = async (key: string, more: object = {}): Promise<void> => {
      grid.keyHandler!.onKeyDown(
        grid,
        new KeyboardEvent('keydown', { key, ...more })
      );
      await rest();
    };
    await press('Home');
    expect(model.selection.ids).toEqual(['run-999']);
    await press('ArrowDown');
    await press('ArrowDown', { shiftKey: true });
    expect(model.selection.ids).toEqual(['run-998', 'run-997']);
    await press('End', { ctrlKey: true });
    expect(model.selection.size).toBe(2);
    expect(model.selection.active).toBe('run-0');
    await press(' ');
    expect(model.selection.ids).toContain('run-0');
    await press('Enter');
    expect(open).toHaveBeenCalledWith('run-0');
    await press('F10', { shiftKey: true });
    expect(menu).toHaveBeenCalledWith(
      'run-0',
      expect.any(Number),
      expect.any(Number)
    );
    await press('Escape');
    expect(model.selection.size).toBe(0);
    await press('a', { ctrlKey: true });
    expect(model.selection.size).toBe(1000);
    grid.dispose();
    model.dispose();
  });
});

describe('ColumnList', () => {
  it('shows, hides, pins, moves and turns columns', async () => {
    const model = await loaded(new FakeServer());
    render(<ColumnList model={model} trans={trans} />);
    const shown = () =>
      within(screen.getByRole('list', { name: 'Shown columns' }))
        .getAllByRole('checkbox')
        .map(box => box.parentElement!.textContent);
    const before = shown();
    fireEvent.keyDown(screen.getByLabelText('Status'), {
      key: 'ArrowUp',
      altKey: true
    });
    expect(shown().slice(0, 2)).toEqual([before[1], before[0]]);
    fireEvent.click(screen.getByRole('button', { name: 'Pin loss' }));
    expect(model.pinned).toEqual(['description', 'metrics.loss']);
    fireEvent.click(screen.getByLabelText('depth'));
    expect(model.scrolling).not.toContain('parameters.depth');
    fireEvent.change(screen.getByLabelText('Best values of accuracy'), {
      target: { value: 'lower' }
    });
    expect(model.direction('metrics.accuracy')).toBe('lower');
    fireEvent.change(screen.getByLabelText('Search columns'), {
      target: { value: 'depth' }
    });
    expect(screen.getByLabelText('depth')).toBeTruthy();
    expect(screen.queryByLabelText('Status')).toBeNull();
    model.dispose();
  });
});

describe('charts', () => {
  const points = {
    columns: {
      'parameters.depth': [1, 2, 3],
      'metrics.accuracy': [0.1, 0.5, null],
      'parameters.model': [EVIL, 'b', 'b'],
      description: [EVIL, 'two', 'three']
    },
    runs: ['r1', 'r2', 'r3'],
    total: 3,
    sampled: false
  };
  const chart: IScatterChart = {
    type: 'scatter',
    id: 's',
    x: 'parameters.depth',
    y: 'metrics.accuracy',
    color: 'parameters.model',
    logX: false,
    logY: false
  };
  const column = (key: string) => COLUMNS.find(each => each.key === key);

  it('place runs, find them and save them as text', async () => {
    const layout = layoutScatter({
      points,
      chart,
      column,
      width: 500,
      height: 300,
      theme,
      trans
    });
    expect(layout.shown).toBe(2);
    expect(layout.at(2)).toBeNull();
    const [x, y] = layout.at(1)!;
    expect(layout.near([x + 3, y - 3])).toBe(1);
    expect(layout.near([x + 30, y])).toBe(-1);
    expect(layout.inside([0, 0], [500, 300])).toEqual(['r1', 'r2']);
    const saved = toSvg(
      { scene: layout.scene(() => true, true), width: 500, height: 300 },
      theme,
      EVIL
    );
    const source = await new Promise<string>(resolve => {
      const reader = new FileReader();
      reader.onload = () => resolve(String(reader.result));
      reader.readAsText(saved);
    });
    expect(source).toContain('&lt;img src=x');
    expect(source).not.toContain('<img');
    const parsed = new DOMParser().parseFromString(source, 'image/svg+xml');
    expect(parsed.querySelector('title')?.textContent).toBe(EVIL);
    expect(parsed.querySelectorAll('script, img, [onerror]')).toHaveLength(0);
  });

  it('select the runs that cross all brushes', () => {
    const layout = layoutParallel({
      points,
      columns: ['parameters.depth', 'metrics.accuracy'],
      color: '',
      column,
      width: 500,
      height: 300,
      theme,
      trans
    });
    const whole: [number, number] = [layout.top, layout.bottom];
    expect(layout.inside({ 'parameters.depth': whole })).toHaveLength(3);
    expect(layout.inside({ 'metrics.accuracy': whole })).toEqual(['r1', 'r2']);
    const upper: [number, number] = [
      layout.top,
      (layout.top + layout.bottom) / 2
    ];
    expect(layout.inside({ 'metrics.accuracy': upper })).toEqual(['r2']);
    expect(layout.axis([60, 150])).toBe('parameters.depth');
    expect(layout.axis([250, 150])).toBeNull();
  });

  it('have names, controls and the same as a table, of text only', async () => {
    const server = new FakeServer();
    server.columns = [
      ...COLUMNS,
      aColumn({ key: 'metrics."evil"', name: EVIL })
    ];
    server.answers = {
      points: () => points,
      importance: () => ({
        metric: 'metrics.accuracy',
        runs: 3,
        items: [
          {
            key: EVIL,
            runs: 3,
            distinct: 2,
            pearson: null,
            spearman: -0.5,
            importance: 0.75
          }
        ]
      }),
      overlay: () => ({
        name: EVIL,
        items: [
          {
            run: 'run-999',
            live: false,
            count: 2,
            steps: [0, 1],
            values: [1, 0.5],
            times: [0, 1]
          }
        ]
      })
    };
    const model = await loaded(server);
    await model.selectRow(0, 'one');
    const common = {
      model,
      theme,
      themeManager: null,
      trans,
      onOpen: jest.fn(),
      onClose: jest.fn(),
      onChange: jest.fn()
    };
    const { container } = render(
      <>
        <ScatterView {...common} chart={{ ...chart, y: 'metrics."evil"' }} />
        <ParallelView
          {...common}
          chart={makeChart('parallel', COLUMNS, 'p') as any}
        />
        <SeriesView
          {...common}
          chart={{ ...(makeChart('series', COLUMNS, 'l') as any), name: EVIL }}
        />
        <ImportanceView
          {...common}
          chart={makeChart('importance', COLUMNS, 'i') as any}
        />
      </>
    );
    await waiting(20);
    expect(screen.getAllByRole('figure')).toHaveLength(4);
    for (const button of screen.getAllByRole('button', { name: 'Table' })) {
      fireEvent.click(button);
    }
    await waiting();
    expect(screen.getAllByRole('table').length).toBeGreaterThanOrEqual(4);
    expect(container.textContent).toContain(EVIL);
    expect(container.textContent).toContain('-0.50');
    expect(container.querySelector('img')).toBeNull();
    const asked = server.asked.find(each => each.path === 'overlay')!;
    expect(asked.query.get('runs')).toBe('["run-999"]');
    fireEvent.click(screen.getByRole('button', { name: /^Close Importance/ }));
    expect(common.onClose).toHaveBeenCalled();
    model.dispose();
  });
});

describe('LiveStrip', () => {
  it('shows runs under way as text, and takes abandoned ones', async () => {
    const server = new FakeServer();
    server.live = [
      aLiveRun({ description: EVIL }),
      aLiveRun({ id: 'live-2', state: 'gone', description: 'lost' })
    ];
    const model = await loaded(server);
    const onOpen = jest.fn();
    const onAbandon = jest.fn();
    const { container } = render(
      <LiveStrip
        model={model}
        language="en"
        trans={trans}
        onOpen={onOpen}
        onAbandon={onAbandon}
      />
    );
    fireEvent.click(screen.getByRole('button', { name: 'lost' }));
    expect(onOpen).toHaveBeenCalledWith('live-2');
    expect(container.textContent).toContain(EVIL);
    expect(container.querySelector('img')).toBeNull();
    const buttons = screen.getAllByRole('button', { name: /abandoned/i });
    expect(buttons).toHaveLength(1);
    fireEvent.click(buttons[0]);
    expect(onAbandon.mock.calls[0][0].id).toBe('live-2');
    // The series grows with each event.
    expect(container.querySelector('path')).toBeNull();
    server.live = [
      aLiveRun({ series: [{ name: 'loss', count: 4, last: 0.25, step: 3 }] })
    ];
    await act(() => model.loadLive());
    expect(container.textContent).toContain('0.25');
    expect(container.querySelector('path')).not.toBeNull();
    server.live = [];
    await act(() => model.loadLive());
    expect(container.textContent).toBe('');
    model.dispose();
  });
});
