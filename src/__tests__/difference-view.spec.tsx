// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import {
  RenderMimeRegistry,
  standardRendererFactories
} from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';
import {
  act,
  fireEvent,
  render,
  screen,
  waitFor,
  within
} from '@testing-library/react';
import * as React from 'react';

import type { FileComparison, OutputPair } from '../api/schema';
import { bundleOf, shownOutput } from '../difference/bundle';
import { DifferenceClient } from '../difference/client';
import { DifferenceModel } from '../difference/model';
import { directionOf, goToChange } from '../difference/navigate';
import { DifferenceOptions } from '../difference/options';
import { DifferenceView } from '../difference/view';
import {
  aComparison,
  aFile,
  aFileComparison,
  aPair,
  aRow,
  aText,
  sameRows
} from './difference.fixtures';
import type { Answers } from './run.fixtures';
import { makeClient } from './run.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');
const rendermime = new RenderMimeRegistry({
  initialFactories: standardRendererFactories
});
const EVIL = '<img src=x onerror=alert(1)><script>alert(1)</script>';

/** What waits to be seen. */
let waiting: Map<Element, () => void>;

class Observer {
  constructor(
    private callback: (
      entries: { isIntersecting: boolean; target: Element }[]
    ) => void
  ) {}

  observe(target: Element): void {
    waiting.set(target, () => {
      this.callback([{ isIntersecting: true, target }]);
    });
  }

  unobserve(target: Element): void {
    waiting.delete(target);
  }

  disconnect(): void {
    waiting.clear();
  }
}

function comeIntoView(): void {
  act(() => [...waiting.values()].forEach(show => show()));
}

async function show(answers: Answers, content: FileComparison) {
  const { client, asked } = makeClient({
    'v1/compare': aComparison([content.file]),
    'v1/compare/file': content,
    ...answers
  });
  const options = new DifferenceOptions(null);
  const api = new DifferenceClient(client.serverSettings, 'iris');
  const model = new DifferenceModel({
    client: api,
    reader: {
      sources: async () => ['a = 1', EVIL, 'c = 3'],
      read: async () => new Blob(['x'])
    } as any,
    options,
    old: 'HEAD',
    newer: 'now'
  });
  const actions = {
    openRun: jest.fn(),
    openFile: jest.fn(),
    openHistory: jest.fn(),
    copyLink: jest.fn(),
    chooseMoment: jest.fn(async () => 'run:r1')
  };
  const parts = {
    rendermime,
    blob: jest.fn(async () => new Blob(['png'], { type: 'image/png' })),
    highlighter: null,
    trans
  };
  const Live = (): JSX.Element => {
    const [, draw] = React.useReducer((n: number) => n + 1, 0);
    React.useEffect(() => {
      model.stateChanged.connect(draw);
      return () => {
        model.stateChanged.disconnect(draw);
      };
    }, []);
    return <DifferenceView {...{ model, options, actions, parts, trans }} />;
  };
  const { unmount } = render(<Live />);
  await act(() => model.load());
  return { model, options, actions, asked, parts, unmount };
}

const image = (change: OutputPair['change'], digest: string): OutputPair => {
  const output = (ref: string) => ({
    output: { output_type: 'display_data', data: { 'text/plain': 'Figure' } },
    blobs: [
      {
        ref,
        path: 'a.ipynb',
        cell: 0,
        output: 0,
        mime: 'image/png',
        digest: `${digest} ${ref}`,
        size: 90_000
      }
    ]
  });
  return { change, old: output('old'), new: output('now'), text: null };
};

function aNotebook(
  cells: ReturnType<typeof aPair>[],
  fields: Partial<FileComparison> = {}
): FileComparison {
  return aFileComparison({
    file: aFile({ path: 'a.ipynb', type: 'notebook' }),
    notebook: {
      cells,
      metadata: null,
      language: 'python',
      added: 0,
      removed: 0,
      modified: 1
    },
    ...fields
  });
}

describe('DifferenceView', () => {
  let made = 0;
  const create = jest.fn((_: Blob) => `blob:${++made}`);
  const revoke = jest.fn();

  beforeEach(() => {
    waiting = new Map();
    (globalThis as any).IntersectionObserver = Observer;
    URL.createObjectURL = create as any;
    URL.revokeObjectURL = revoke;
    made = 0;
    revoke.mockClear();
  });

  it('draws cells when they come into view, and asks for images only then', async () => {
    const pair = aPair({
      source: aText([aRow({ change: 'modified', old: 'a = 1', new: 'a = 2' })]),
      outputs: [image('modified', 'd')]
    });
    const { parts, unmount } = await show(
      {},
      aNotebook([
        pair,
        aPair({ change: 'folded', count: 2, old_index: 1, new_index: 1 }),
        aPair({ old_index: 3, new_index: 3, source: pair.source })
      ])
    );
    expect(screen.queryByText('a = 1')).toBeNull();
    expect(waiting.size).toBe(2);
    // what waits takes about the room that it will need
    const heights = [...waiting.keys()].map(node =>
      parseFloat((node as HTMLElement).style.height)
    );
    expect(heights[0]).toBeGreaterThan(heights[1] + 100);
    comeIntoView();
    comeIntoView();
    expect(screen.getAllByText('a = 1')).toHaveLength(2);
    const images = await screen.findAllByRole('img');
    expect(images.map(one => one.getAttribute('alt'))).toEqual([
      'Output before',
      'Output after'
    ]);
    expect(parts.blob).toHaveBeenCalledTimes(2);
    unmount();
    expect(revoke.mock.calls.flat().sort()).toEqual(['blob:1', 'blob:2']);
  });

  it('shows unchanged cells when they are asked for, as text', async () => {
    await show(
      {},
      aNotebook([
        aPair({ change: 'folded', count: 2, old_index: 1, new_index: 1 })
      ])
    );
    fireEvent.click(
      screen.getByRole('button', { name: 'Show 2 unchanged cells' })
    );
    expect(await screen.findByText('c = 3')).toBeTruthy();
    expect(screen.getByText(EVIL)).toBeTruthy();
    expect(screen.queryByText('a = 1')).toBeNull();
    expect(document.querySelector('img, script')).toBeNull();
  });

  it('never trusts an output', async () => {
    await show(
      {},
      aNotebook([
        aPair({
          source: aText([aRow({ change: 'added', new: EVIL })]),
          outputs: [
            { change: 'same', old: null, new: null, text: null },
            {
              change: 'added',
              old: null,
              new: {
                output: {
                  output_type: 'display_data',
                  data: {
                    'text/html': `<b>bold</b>${EVIL}`,
                    'application/javascript': 'window.pwned = 1'
                  }
                },
                blobs: []
              },
              text: null
            }
          ]
        })
      ])
    );
    comeIntoView();
    comeIntoView();
    await waitFor(() => expect(screen.getByText('bold').tagName).toBe('B'));
    expect(document.querySelector('script')).toBeNull();
    expect(document.querySelector('[onerror]')).toBeNull();
    expect((window as any).pwned).toBeUndefined();
    expect(screen.getByText(EVIL)).toBeTruthy();
    // what did not change is not said to be missing
    expect(screen.getByText('An output that did not change')).toBeTruthy();
    expect(screen.getAllByText('Before: no output')).toHaveLength(1);
  });

  it('shows names of files and labels as text', async () => {
    const file = aFile({ path: `dir/${EVIL}.txt` });
    const { actions } = await show(
      {
        'v1/compare': aComparison([file], {
          values: [
            { kind: 'parameter', name: EVIL, old: EVIL, new: null },
            { kind: 'metric', name: 'loss', old: 0.5, new: 0.25 }
          ],
          old: { ref: 'a', run: 'r9', label: EVIL, created: null }
        })
      },
      aFileComparison({ file, note: EVIL, text: aText(sameRows(1, 3)) })
    );
    expect(document.querySelector('img, script')).toBeNull();
    fireEvent.click(screen.getByRole('button', { name: EVIL }));
    expect(actions.openRun).toHaveBeenCalledWith('r9');
    const values = screen.getByRole('table', {
      name: 'Parameters and metrics that differ'
    });
    expect(
      within(values).getByRole('row', { name: 'loss metric 0.5 0.25' })
    ).toBeTruthy();
  });

  it('unfolds lines, and asks the server for more of them', async () => {
    const rows = [
      aRow({
        change: 'modified',
        old_line: 1,
        new_line: 1,
        old: 'a',
        new: 'b'
      }),
      ...sameRows(2, 3),
      aRow({ change: 'folded', old_line: 5, new_line: 5, count: 40 })
    ];
    const answers: Answers = {};
    const { asked } = await show(
      answers,
      aFileComparison({ text: aText(rows) })
    );
    comeIntoView();
    await act(async () => {
      fireEvent.click(
        screen.getByRole('button', { name: 'Show 40 unchanged lines' })
      );
    });
    expect(asked[asked.length - 1].query.get('context')).toBe('1000');
    // the server had no more: it is said rather than offered
    await waitFor(() =>
      expect(screen.getByText('40 unchanged lines')).toBeTruthy()
    );
  });

  it('opens versions and history, and takes other moments', async () => {
    const { actions, model } = await show(
      {},
      aFileComparison({ text: aText(sameRows(1, 3)) })
    );
    fireEvent.click(screen.getByRole('button', { name: 'Open before' }));
    expect(actions.openFile).toHaveBeenLastCalledWith(
      'a'.repeat(64),
      'train.py'
    );
    fireEvent.click(screen.getByRole('button', { name: 'Open after' }));
    expect(actions.openFile).toHaveBeenLastCalledWith('now', 'train.py');
    fireEvent.click(screen.getByRole('button', { name: 'History' }));
    expect(actions.openHistory).toHaveBeenCalledWith('train.py');
    const before = screen.getByRole('group', { name: 'Before' });
    await act(async () => {
      fireEvent.click(within(before).getByRole('button', { name: 'Choose…' }));
    });
    expect(model.old).toBe('run:r1');
    expect(screen.getByText('No differences')).toBeTruthy();
  });

  it('shows rows of tables that differ, and columns', async () => {
    await show(
      {},
      aFileComparison({
        table: {
          columns: ['id', 'city'],
          added_columns: ['size'],
          removed_columns: [],
          key: 'id',
          added: 1,
          removed: 0,
          modified: 1,
          rows: [
            {
              change: 'modified',
              old_row: 2,
              new_row: 2,
              values: [{ column: 'city', old: 'Oslo', new: EVIL }]
            },
            {
              change: 'added',
              old_row: null,
              new_row: 4,
              values: [{ column: 'size', old: null, new: 5 }]
            }
          ],
          old_rows: 3,
          new_rows: 4,
          sampled: true
        }
      })
    );
    expect(
      screen.getByRole('row', { name: `~ modified 2 Oslo ${EVIL}` })
    ).toBeTruthy();
    expect(screen.getByRole('row', { name: '+ added 4 5' })).toBeTruthy();
    expect(screen.getByText('+ Columns added: size')).toBeTruthy();
    expect(screen.getByText(/only their first rows/)).toBeTruthy();
  });

  it('gives up comparing the moments, until it is asked for again', async () => {
    const { model, asked, unmount } = await show({}, aFileComparison());
    const compare = jest
      .spyOn(model.client, 'compare')
      .mockImplementation(
        (old, newer, page, signal) =>
          new Promise((_, reject) =>
            signal?.addEventListener('abort', () => reject(signal.reason))
          )
      );
    act(() => void model.load());
    expect(screen.getByText('Comparing files…')).toBeTruthy();
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
    });
    expect(compare.mock.calls[0][3]?.aborted).toBe(true);
    await act(() => model.refresh());
    expect(compare).toHaveBeenCalledTimes(1);
    compare.mockRestore();
    const before = asked.length;
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Compare again' }));
    });
    await waitFor(() => expect(model.comparison).not.toBeNull());
    expect(asked.length).toBeGreaterThan(before);
    expect(screen.queryByText('The comparison was cancelled.')).toBeNull();
    unmount();
  });

  it('says that nothing differs', async () => {
    await show({ 'v1/compare': aComparison([]) }, aFileComparison());
    expect(screen.getByRole('status').textContent).toBe('No differences');
  });
});

describe('outputs', () => {
  const output = (data: object, blobs: any[] = []) => ({
    output: { output_type: 'display_data', data },
    blobs
  });

  it('are images before anything else, and SVG only as an image', () => {
    expect(
      shownOutput(output({ 'text/html': 'x', 'image/png': 'AAAA' }))
    ).toMatchObject({ kind: 'image', type: 'image/png', isText: false });
    expect(
      shownOutput(output({ 'image/svg+xml': ['<svg', '/>'] }))
    ).toMatchObject({ kind: 'image', data: '<svg/>', isText: true });
  });

  it('have large parts that are asked for', () => {
    const blob = { mime: 'text/html', size: 1e6 } as any;
    expect(shownOutput(output({ 'text/plain': 'x' }, [blob]))).toEqual({
      kind: 'bundle',
      data: { 'text/plain': 'x' },
      more: [blob]
    });
  });

  it('are taken from streams and errors', () => {
    expect(
      bundleOf({ output_type: 'stream', name: 'stderr', text: ['a\n', 'b'] })
    ).toEqual({ 'application/vnd.jupyter.stderr': 'a\nb' });
    expect(
      bundleOf({ output_type: 'error', ename: 'E', evalue: 'v', traceback: [] })
    ).toEqual({ 'application/vnd.jupyter.stderr': 'E: v' });
    expect(bundleOf({ output_type: 'display_data', data: 'odd' })).toEqual({});
  });
});

describe('keys', () => {
  const key = (key: string, more: object = {}) => ({
    key,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    target: document.body,
    ...more
  });

  it('go from change to change, but not where something is typed', () => {
    expect(directionOf(key('n'))).toBe('next');
    expect(directionOf(key('p'))).toBe('previous');
    expect(directionOf(key('ArrowDown', { altKey: true }))).toBe('next');
    expect(directionOf(key('ArrowDown'))).toBeNull();
    expect(directionOf(key('n', { ctrlKey: true }))).toBeNull();
    const input = document.createElement('input');
    expect(directionOf(key('n', { target: input }))).toBeNull();
  });

  it('give what one goes to the focus', () => {
    document.body.innerHTML = '';
    const scroll = document.createElement('div');
    for (const top of [0, 100, 200]) {
      const place = document.createElement('div');
      place.dataset.change = '';
      place.tabIndex = -1;
      place.id = `at${top}`;
      place.getBoundingClientRect = () =>
        ({ top: top - scroll.scrollTop }) as DOMRect;
      const inner = document.createElement('span');
      inner.dataset.change = '';
      place.append(inner);
      scroll.append(place);
    }
    document.body.append(scroll);
    expect(goToChange(scroll, true)).toBe(true);
    expect(document.activeElement?.id).toBe('at100');
    goToChange(scroll, true);
    expect(document.activeElement?.id).toBe('at200');
    expect(goToChange(scroll, true)).toBe(false);
    goToChange(scroll, false);
    expect(document.activeElement?.id).toBe('at100');
  });
});
