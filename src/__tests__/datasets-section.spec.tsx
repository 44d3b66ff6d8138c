// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import {
  act,
  cleanup,
  fireEvent,
  render,
  screen,
  within
} from '@testing-library/react';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { DatasetsSection } from '../datasets/section';
import {
  FakeDatasets,
  aDataset,
  aVersion,
  theDatasets
} from './datasets.fixtures';
import { EVIL } from './sync.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');
const NEWER = {
  id: 'ddddeeeeffff',
  created: '2026-02-04T04:05:06Z',
  author: 'bob',
  message: 'more'
};

function show(datasets: FakeDatasets) {
  const commands = new CommandRegistry();
  const executed: [string, unknown][] = [];
  for (const id of Object.values(CommandIDs)) {
    commands.addCommand(id, {
      describedBy: { args: {} },
      execute: args => void executed.push([id, args])
    });
  }
  const { container } = render(
    <DatasetsSection
      datasets={datasets}
      commands={commands}
      workspace="team/iris"
      trans={trans}
    />
  );
  const click = async (name: string | RegExp) =>
    act(async () => {
      fireEvent.click(screen.getByRole('button', { name }));
    });
  return { executed, container, click };
}

describe('DatasetsSection', () => {
  afterEach(cleanup);

  it('is not there before anything is known, and says when nothing is attached', async () => {
    const datasets = new FakeDatasets(null);
    const { container, executed, click } = show(datasets);
    expect(container.textContent).toBe('');
    act(() => datasets.set(theDatasets([])));
    expect(screen.getByRole('status').textContent).toBe('No datasets');
    await click('No datasets');
    await click('Attach a Dataset…');
    await click('New from a Folder…');
    expect(executed.map(([id]) => id)).toEqual([
      CommandIDs.attachDataset,
      CommandIDs.createDataset
    ]);
  });

  it('shows version, mode and path, and offers a newer version', async () => {
    const datasets = new FakeDatasets(
      theDatasets([
        aDataset({ newer: true, newest: NEWER }),
        aDataset({ name: 'mnist', id: 'd2', path: 'in', mode: 'write' })
      ])
    );
    const { executed, click } = show(datasets);
    expect(screen.getByRole('status').textContent).toBe(
      '2 datasets, 1 newer version'
    );
    await click('2 datasets, 1 newer version');
    const [iris, mnist] = screen.getAllByRole('listitem');
    expect(iris.textContent).toContain('read-only');
    expect(iris.textContent).toContain('(aaaabbbb)');
    expect(iris.textContent).toContain('Newer version:');
    expect(mnist.textContent).toContain('writable');
    expect(mnist.textContent).toContain('changed since');
    expect(within(mnist).queryByText(/Newer/)).toBeNull();
    await click('datasets/iris');
    await click('Use It');
    expect(executed).toEqual([
      [CommandIDs.showDataset, { dataset: 'iris' }],
      [CommandIDs.useDatasetVersion, { dataset: 'iris' }]
    ]);
  });

  it('has versions and the runs that used them below a dataset', async () => {
    const datasets = new FakeDatasets(
      theDatasets([
        aDataset({
          mode: 'read',
          newest: NEWER,
          newer: true,
          remote: 'https://hub.example.org/ada/iris'
        })
      ])
    );
    const use = { description: 'train', direction: 'input' as const };
    datasets.versions.mockImplementation(async (_, offset) => ({
      items: offset
        ? [aVersion({ id: 'first', message: '' })]
        : [
            aVersion({ ...NEWER, runs: ['r0'] }),
            aVersion({
              uses: [
                { run: 'r1', ...use },
                { run: 'r2', description: '', direction: 'output' }
              ],
              total_uses: 5
            })
          ],
      total: 3,
      offset
    }));
    const { executed, click } = show(datasets);
    await click('1 dataset, 1 newer version');
    await click('iris');
    expect(screen.getByText('3 versions')).toBeTruthy();
    expect(screen.getByText('As downloaded, by ada')).toBeTruthy();
    expect(screen.getByText('and 3 more runs')).toBeTruthy();
    const [current] = screen
      .getAllByRole('listitem')
      .filter(item => item.getAttribute('aria-current') === 'true');
    expect(current.textContent).toContain('in use');
    await click('train');
    await click('Run r2');
    await click('Use the version ddddeeee');
    await click('Show Older Versions');
    expect(screen.getByText('No message, by ada')).toBeTruthy();
    expect(screen.queryByText('Show Older Versions')).toBeNull();
    await click('Ask the Hub');
    await click('Detach…');
    expect(executed).toEqual([
      [CommandIDs.openRun, { run: 'r1', workspace: 'team/iris' }],
      [CommandIDs.openRun, { run: 'r2', workspace: 'team/iris' }],
      [
        CommandIDs.useDatasetVersion,
        { dataset: 'iris', version: 'ddddeeeeffff' }
      ],
      [CommandIDs.fetchDataset, { dataset: 'iris' }],
      [CommandIDs.detachDataset, { dataset: 'iris' }]
    ]);
    expect(datasets.versions.mock.calls).toEqual([
      ['iris', 0],
      ['iris', 2]
    ]);
  });

  it('says which are not here, and what helps', async () => {
    const nothing = { version: null, newest: null };
    const remote = 'https://hub.example.org/ada/far';
    const datasets = new FakeDatasets(
      theDatasets([
        aDataset({ name: 'lost', place: 'lost', version: null }),
        aDataset({ name: 'far', place: 'absent', remote, ...nothing }),
        aDataset({ name: 'gone', place: 'absent', error: 'Gone.', ...nothing }),
        aDataset({ name: 'bad', place: 'unreadable', error: EVIL, ...nothing })
      ])
    );
    datasets.versions.mockRejectedValue(new Error(EVIL));
    const { container, executed, click } = show(datasets);
    await click('4 datasets, 4 not here');
    await click('Attach Again');
    await click('Get It');
    expect(executed).toEqual([
      [CommandIDs.restoreDatasets, { dataset: 'lost' }],
      [CommandIDs.restoreDatasets, { dataset: 'far' }]
    ]);
    expect(screen.getByText('Gone.')).toBeTruthy();
    await click('bad');
    expect(screen.getAllByText(EVIL)).toHaveLength(2);
    expect(container.querySelector('img')).toBeNull();
  });

  it('tells what is under way and what went wrong, until that is dismissed', async () => {
    const work = { activity: 'attaching' as const, name: 'iris' };
    const datasets = new FakeDatasets(
      theDatasets([], { work: { ...work, done: 1, total: 3 } })
    );
    const { executed, click } = show(datasets);
    expect(screen.getByRole('status').textContent).toBe('Attaching iris… 33 %');
    await click('Stop');
    expect(executed.map(([id]) => id)).toEqual([CommandIDs.stopDatasets]);
    act(() => datasets.set(theDatasets([], { error: 'No room.' })));
    expect(screen.getByRole('alert').textContent).toContain('No room.');
    await click('Dismiss');
    expect(screen.queryByRole('alert')).toBeNull();
    // the same once more
    for (const [activity, words] of [
      ['creating', 'Making iris…'],
      ['fetching', 'Fetching iris…'],
      ['saving', 'Saving iris…']
    ] as const) {
      act(() =>
        datasets.set(
          theDatasets([], { work: { ...work, activity, done: 7, total: 0 } })
        )
      );
      expect(screen.getByRole('status').textContent).toBe(words);
    }
    act(() => datasets.set(theDatasets([], { error: 'No room.' })));
    expect(screen.getByRole('alert')).toBeTruthy();
  });
});
