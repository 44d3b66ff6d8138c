// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, render, screen, within } from '@testing-library/react';
import * as React from 'react';

import { HistoryModel } from '../history/model';
import type { IHistoryActions } from '../history/view';
import { HistoryView } from '../history/view';
import { EVIL, aHistory, aVersion } from './history.fixtures';
import { aRun } from './utils';

const trans = nullTranslator.load('dotscience_jupyter');

async function show(history: ReturnType<typeof aHistory>) {
  const model = new HistoryModel({
    client: { versions: async () => history },
    workspace: 'project',
    file: 'model.bin',
    contentsPath: 'project/model.bin'
  });
  const actions: jest.Mocked<IHistoryActions> = {
    open: jest.fn(),
    compare: jest.fn(),
    scratchCopy: jest.fn(),
    bringBack: jest.fn(),
    browse: jest.fn(),
    copyLink: jest.fn(),
    openRun: jest.fn()
  };
  await model.load();
  const view = render(
    <HistoryView model={model} actions={actions} trans={trans} />
  );
  return { model, actions, view };
}

const three = () => [
  aVersion({
    commit: 'c3',
    message: `${EVIL}\nmore`,
    author: EVIL,
    runs: [aRun({ id: 'r1', description: EVIL }), aRun({ id: 'r2' })],
    total_runs: 7
  }),
  aVersion({ commit: 'c2', change: 'renamed', path: 'old.bin' }),
  aVersion({ commit: 'c1', change: 'first', path: 'old.bin' })
];

describe('HistoryView', () => {
  it('lists versions with their runs, and text stays text', async () => {
    const { view, actions } = await show(aHistory(three()));
    const items = screen.getAllByRole('listitem');
    expect(items).toHaveLength(3);
    expect(view.container.querySelector('img')).toBeNull();
    expect(items[0].textContent).toContain(EVIL);
    expect(items[0].textContent).toContain('and 5 more');
    expect(items[0].textContent).toContain('as now');
    expect(items[1].textContent).toContain('Called old.bin then');
    expect(items[2].textContent).toContain('first commit');
    fireEvent.click(within(items[0]).getByTitle('Open run r1'));
    expect(actions.openRun).toHaveBeenCalledWith('r1');
  });

  it('does with each version what can be done with it', async () => {
    const versions = three();
    const { actions } = await show(aHistory(versions, { changed: true }));
    const [now, newest, , oldest] = screen.getAllByRole('listitem');
    const click = (item: HTMLElement, name: RegExp) =>
      fireEvent.click(within(item).getByRole('button', { name }));
    click(now, /What changed/);
    expect(actions.compare).toHaveBeenLastCalledWith(versions[0], null);
    click(newest, /What changed/);
    expect(actions.compare).toHaveBeenLastCalledWith(versions[1], versions[0]);
    click(oldest, /Compare with now/);
    expect(actions.compare).toHaveBeenLastCalledWith(versions[2], null);
    click(oldest, /^Open/);
    expect(actions.open).toHaveBeenCalledWith(versions[2]);
    click(oldest, /Scratch copy/);
    expect(actions.scratchCopy).toHaveBeenCalledWith(versions[2]);
    click(oldest, /Bring back/);
    expect(actions.bringBack).toHaveBeenCalledWith(versions[2]);
    click(oldest, /All files/);
    expect(actions.browse).toHaveBeenCalledWith(versions[2]);
    expect(
      within(oldest).queryByRole('button', { name: /What changed/ })
    ).toBeNull();
  });

  it('offers nothing that makes no sense', async () => {
    await show(
      aHistory(
        [
          aVersion({ change: 'removed', size: null }),
          aVersion({ commit: 'b' })
        ],
        { present: null }
      )
    );
    const [removed] = screen.getAllByRole('listitem');
    expect(
      within(removed)
        .getAllByRole('button')
        .map(button => button.textContent?.replace(/ \(.*/, ''))
    ).toEqual(['What changed', 'All files']);
  });

  it('says when a file was never committed', async () => {
    await show(aHistory([], { changed: true }));
    expect(screen.getByText(/No commit has this file yet/)).toBeTruthy();
    expect(screen.getByText('not committed')).toBeTruthy();
  });
});
