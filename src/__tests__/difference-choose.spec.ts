// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, screen, waitFor } from '@testing-library/dom';

import { chooseMoment } from '../difference/choose';
import { COMMIT_A, RUN_A, json, makeClient } from './run.fixtures';
import { aRun, page } from './utils';

const OLD = 'd'.repeat(64);

const commit = (id: string, message: string) => ({
  id,
  message,
  author: 'ada',
  created: '2026-02-03T04:05:06Z'
});

function start() {
  const found = { items: [commit(OLD, 'first of all')], total: 1, offset: 0 };
  const { client, asked } = makeClient({
    'v1/commits': () =>
      asked[asked.length - 1].query.get('search') === 'first of'
        ? json(found)
        : json({
            ...found,
            items: asked[asked.length - 1].query.has('search')
              ? []
              : [commit(COMMIT_A, 'tune it'), commit('e'.repeat(64), 'again')]
          }),
    'v1/runs': () =>
      json(page(asked[asked.length - 1].query.has('search') ? [] : [aRun()])),
    'v1/commits/HEAD~3': { id: OLD, message: '', runs: [] },
    'v1/runs/1111': { id: RUN_A }
  });
  const chosen = chooseMoment({
    client,
    workspace: 'w',
    title: 'Compare',
    label: 'With:',
    now: true,
    trans: nullTranslator.load('')
  });
  return { asked, chosen };
}

const box = () =>
  screen.findByRole<HTMLInputElement>('textbox', { hidden: true });
const list = () =>
  screen.getByRole<HTMLSelectElement>('listbox', { hidden: true });
const labels = () => [...list().options].map(({ text }) => text);

function type(input: HTMLInputElement, text: string): void {
  fireEvent.input(input, { target: { value: text } });
}

function press(name: string): void {
  fireEvent.click(screen.getByRole('button', { name, hidden: true }));
}

describe('choosing a moment', () => {
  afterEach(() => Dialog.flush());

  it('offers now and the newest, of which the first is chosen', async () => {
    const { chosen } = start();
    await box();
    expect(labels()).toHaveLength(4);
    expect(labels()[1]).toContain('tune it');
    press('Ok');
    expect(await chosen).toBe('now');
  });

  it.each([
    ['HEAD~3', OLD],
    ['1111', `run:${RUN_A}`],
    ['run:1111', `run:${RUN_A}`],
    ['now', 'now']
  ])('takes %s as it is typed', async (typed, ref) => {
    const { chosen } = start();
    type(await box(), typed);
    press('Ok');
    expect(await chosen).toBe(ref);
  });

  it('finds what is older by words', async () => {
    const { chosen } = start();
    const input = await box();
    type(input, 'TUNE');
    expect(labels()).toEqual([expect.stringContaining('tune it')]);
    type(input, 'first of');
    expect(labels()).toEqual([]);
    await waitFor(() => expect(labels()).toHaveLength(1));
    expect(labels()[0]).toContain('first of all');
    press('Ok');
    expect(await chosen).toBe(OLD);
  });

  it('says that there is no such thing, and asks again', async () => {
    const { chosen } = start();
    type(await box(), 'xyz');
    press('Ok');
    await waitFor(() =>
      expect(screen.getByRole('status', { hidden: true }).textContent).toMatch(
        /No commit and no run/
      )
    );
    expect((await box()).value).toBe('xyz');
    type(await box(), 'e');
    press('Ok');
    await waitFor(() =>
      expect(screen.getByRole('status', { hidden: true }).textContent).toMatch(
        /Choose one/
      )
    );
    fireEvent.keyDown(await box(), { key: 'ArrowDown' });
    expect(document.activeElement).toBe(list());
    list().selectedIndex = 1;
    press('Ok');
    expect(await chosen).toBe(COMMIT_A);
  });

  it('gives nothing where it is cancelled', async () => {
    const { chosen } = start();
    await box();
    press('Cancel');
    expect(await chosen).toBeNull();
  });
});
