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

import { MergeClient } from '../merge/client';
import { MergeModel } from '../merge/model';
import { MergeView } from '../merge/view';
import {
  aConflict,
  aDetail,
  aMerge,
  aMergeCell,
  aMergeFile
} from './merge.fixtures';
import type { Answers } from './run.fixtures';
import { makeClient } from './run.fixtures';

jest.mock('../merge/editor', () => ({
  ResultEditor: (props: {
    text: string;
    mimeType: string;
    onSave: (text: string) => void;
  }) => (
    <button onClick={() => props.onSave(`${props.text}!`)}>
      {`save as ${props.mimeType}`}
    </button>
  )
}));

(globalThis as any).IntersectionObserver = undefined;

const trans = nullTranslator.load('dotscience_jupyter');
const services = {
  mimeTypeService: {
    getMimeTypeByFilePath: () => 'text/x-python',
    getMimeTypeByLanguage: ({ name }: { name: string }) => `text/x-${name}`
  }
} as any;

async function show(answers: Answers) {
  const { client, asked } = makeClient({
    'v1/merge': { merge: aMerge() },
    'v1/merge/file': aDetail(),
    ...answers
  });
  const model = new MergeModel(new MergeClient(client.serverSettings, 'iris'));
  const outputs = {
    rendermime: new RenderMimeRegistry({
      initialFactories: standardRendererFactories
    }),
    blob: jest.fn(async () => new Blob(['x'])),
    highlighter: null,
    trans
  };
  const actions = {
    begin: jest.fn(),
    finish: jest.fn(),
    abort: jest.fn(),
    decide: jest.fn(),
    openFile: jest.fn(),
    copyLink: jest.fn(),
    compare: jest.fn()
  };
  const Live = (): JSX.Element => {
    const [, draw] = React.useReducer((n: number) => n + 1, 0);
    React.useEffect(() => {
      model.stateChanged.connect(draw);
      return () => {
        model.stateChanged.disconnect(draw);
      };
    }, []);
    return (
      <MergeView
        model={model}
        actions={actions}
        services={services}
        outputs={outputs}
        trans={trans}
      />
    );
  };
  render(<Live />);
  await act(() => model.load());
  const press = async (name: string | RegExp) => {
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name }));
      await new Promise(resolve => setTimeout(resolve, 20));
    });
  };
  const posted = () =>
    asked
      .filter(({ init }) => init.method === 'POST')
      .map(({ init }) => JSON.parse(String(init.body)));
  return { model, actions, outputs, press, posted };
}

describe('MergeView', () => {
  it('always tells how many conflicts are open, and why it cannot be finished', async () => {
    const { actions, press } = await show({
      'v1/merge/resolve': aDetail({
        file: aMergeFile({ state: 'resolved', conflicts: 0 }),
        conflicts: [aConflict({ choice: 'yours', result: 'x = 2\n' })]
      })
    });
    const status = screen.getByText('1 open conflict in 1 file');
    expect(status.getAttribute('role')).toBe('status');
    const finish = screen.getByRole('button', { name: 'Finish' });
    expect(finish.getAttribute('aria-disabled')).toBe('true');
    expect(finish.getAttribute('aria-describedby')).toBe(status.id);
    fireEvent.click(finish);
    expect(actions.finish).not.toHaveBeenCalled();
    await press('Keep yours');
    expect(screen.getByText('No open conflicts')).toBeTruthy();
    fireEvent.change(
      screen.getByRole('textbox', { name: 'Description of the commit' }),
      { target: { value: ' both ' } }
    );
    fireEvent.click(finish);
    expect(actions.finish).toHaveBeenCalledWith('both');
    expect(screen.getByText('yours is kept')).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Undo' })).toBeTruthy();
  });

  it('shows yours and theirs in their place among what is merged', async () => {
    const { press } = await show({});
    const conflict = screen.getByRole('region', {
      name: 'Open conflict: lines 3 to 4'
    });
    const row = within(conflict).getByRole('row');
    expect(row.textContent).toContain('x = 2');
    expect(row.textContent).toContain('x = 3');
    expect(row.textContent).toContain('differs');
    expect([...row.querySelectorAll('mark')].map(m => m.textContent)).toEqual([
      '2',
      '3'
    ]);
    expect(screen.getByText('1 line, as they changed it')).toBeTruthy();
    expect(within(conflict).queryByText('x = 1')).toBeNull();
    await press('Base');
    expect(within(conflict).getByText('x = 1')).toBeTruthy();
    expect(
      within(conflict).queryByRole('button', { name: 'Keep the base' })
    ).toBeNull();
  });

  it('saves what was edited as the result, in the language of the cell', async () => {
    const { press, posted } = await show({
      'v1/merge/file': aDetail({
        segments: [],
        cells: [
          aMergeCell({
            yours: { cell_type: 'markdown', source: 'x' },
            theirs: null
          })
        ]
      }),
      'v1/merge/resolve': aDetail()
    });
    await press('Edit…');
    await press('save as text/x-ipythongfm');
    expect(posted()).toEqual([
      { path: 'train.py', conflict: 'c1', choice: 'edited', text: 'x = 2\n!\n' }
    ]);
  });

  it('chooses for all conflicts of a file at once, where that can be', async () => {
    const { press, posted } = await show({
      'v1/merge/file': aDetail({
        conflicts: [
          aConflict(),
          aConflict({ id: 'c2', choices: ['yours', 'theirs'] })
        ],
        segments: []
      }),
      'v1/merge/resolve': aDetail()
    });
    const all = screen.getByRole('group', {
      name: 'All conflicts of the file'
    });
    expect(within(all).queryByRole('button', { name: 'Keep both' })).toBeNull();
    await act(async () => {
      fireEvent.click(within(all).getByRole('button', { name: 'Keep theirs' }));
    });
    expect(posted()).toEqual([
      { path: 'train.py', conflict: '', choice: 'theirs', text: null }
    ]);
    await press(/^Abort/);
  });

  it('offers no choice that cannot be made where conflicts are in the files', async () => {
    const { actions, press, posted } = await show({
      'v1/merge': { merge: aMerge({ markers: true }) }
    });
    expect(screen.queryByText(/Nothing is written before/)).toBeNull();
    expect(
      screen.getByText(/Edit a file until no marks are left/)
    ).toBeTruthy();
    const conflict = screen.getByRole('region', { name: /^Open conflict/ });
    expect(
      within(conflict)
        .getAllByRole('button')
        .map(button => button.textContent)
    ).toEqual(['Base']);
    await press('Keep theirs');
    expect(actions.decide).toHaveBeenCalledWith('train.py', 'theirs', true);
    await press('Open the file');
    expect(actions.openFile).toHaveBeenCalledWith('now', 'train.py');
    expect(posted()).toEqual([]);
  });

  it('lets a side be chosen of a file in which nothing can be marked', async () => {
    const whole = aConflict({
      id: 'file',
      base: null,
      yours: null,
      theirs: null,
      choices: ['yours', 'theirs', 'base']
    });
    const { actions, press } = await show({
      'v1/merge': { merge: aMerge({ markers: true }) },
      'v1/merge/file': aDetail({ conflicts: [whole], segments: [] })
    });
    expect(screen.queryByRole('button', { name: 'Open the file' })).toBeNull();
    await press('Keep yours');
    expect(actions.decide).toHaveBeenCalledWith('train.py', 'yours', false);
  });

  it('shows both cells where both are kept', async () => {
    await show({
      'v1/merge/file': aDetail({
        conflicts: [
          aConflict({ choice: 'both', result: 'x = 2\n\n\nx = 3\n' })
        ],
        segments: [],
        cells: [aMergeCell({ state: 'resolved' })]
      })
    });
    const title = screen.getByText('Result: two cells, yours first');
    const cells = title.parentElement!.querySelectorAll('pre');
    expect([...cells].map(cell => cell.textContent)).toEqual([
      'x = 2\n',
      'x = 3\n'
    ]);
  });

  it('shows what the two cells made, large parts asked for, nothing trusted', async () => {
    const evil = '<script>window.pwned = 1</script><i onclick="x()">hm</i>';
    const data = (fields: object) => ({
      output_type: 'display_data',
      metadata: {},
      data: fields
    });
    const blob = (side: string) => ({
      ref: side,
      path: 'n.ipynb',
      cell: 1,
      output: 0,
      mime: 'image/png',
      digest: side,
      size: 20000
    });
    URL.createObjectURL = () => 'blob:1';
    URL.revokeObjectURL = () => undefined;
    const cell = aMergeCell({
      outputs: [
        { change: 'same', old: null, new: null, text: null },
        {
          change: 'modified',
          old: { output: data({}), blobs: [blob('yours')] },
          new: { output: data({}), blobs: [blob('theirs')] },
          text: null
        },
        {
          change: 'added',
          old: null,
          new: {
            output: data({ 'text/html': `<b>bold</b>${evil}` }),
            blobs: []
          },
          text: null
        }
      ]
    });
    const { outputs, press } = await show({
      'v1/merge/file': aDetail({ segments: [], cells: [cell] }),
      'v1/merge/resolve': aDetail({
        segments: [],
        conflicts: [aConflict({ choice: 'base', result: 'x = 1\n' })],
        cells: [{ ...cell, state: 'resolved', cleared: true }]
      })
    });
    const group = screen.getByRole('group', { name: 'Outputs' });
    await waitFor(() =>
      expect(
        within(group)
          .getAllByRole('img')
          .map(image => image.getAttribute('alt'))
      ).toEqual(['Output of yours', 'Output of theirs'])
    );
    expect(outputs.blob.mock.calls.map(([asked]: any) => asked.ref)).toEqual([
      'yours',
      'theirs'
    ]);
    expect(group.textContent).toContain('the same in yours and theirs');
    expect(group.textContent).toContain('Yours: no output');
    const bold = await within(group).findByText('bold');
    expect(document.querySelector('script, [onclick]')).toBeNull();
    expect((window as any).pwned).toBeUndefined();
    expect(screen.queryByText(/Its outputs are cleared/)).toBeNull();
    await press('Keep yours');
    expect(screen.getByText(/Its outputs are cleared/)).toBeTruthy();
    // what is chosen draws nothing again
    expect(within(group).getByText('bold')).toBe(bold);
    expect(outputs.blob).toHaveBeenCalledTimes(2);
  });

  it('says of a conflict that it was decided in the file', async () => {
    const file = aMergeFile({ state: 'resolved', conflicts: 0 });
    await show({
      'v1/merge': { merge: aMerge({ markers: true, files: [file] }) },
      'v1/merge/file': aDetail({ file })
    });
    expect(screen.getByText('No open conflicts')).toBeTruthy();
    const conflict = screen.getByRole('region', { name: /^Resolved conflict/ });
    expect(conflict.textContent).toContain('decided in the file');
    expect(conflict.textContent).not.toContain('It is removed.');
  });

  it('shows text of others as text', async () => {
    const evil = '<img src=x onerror=alert(1)>';
    await show({
      'v1/merge': {
        merge: aMerge({
          files: [aMergeFile({ path: evil })],
          theirs: { ref: 'c', run: null, label: evil, created: null }
        })
      },
      'v1/merge/file': aDetail({
        file: aMergeFile({ path: evil, message: evil }),
        conflicts: [
          aConflict({ where: evil, yours: evil, theirs: `${evil} ${evil}` })
        ]
      })
    });
    expect(document.querySelector('img')).toBeNull();
    expect(screen.getAllByText(evil).length).toBeGreaterThanOrEqual(4);
  });

  it('says when there is nothing to merge', async () => {
    const { actions, press } = await show({ 'v1/merge': { merge: null } });
    expect(screen.getByText('No merge is under way.')).toBeTruthy();
    await press('Merge…');
    expect(actions.begin).toHaveBeenCalled();
  });
});
