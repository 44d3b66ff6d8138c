// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, screen } from '@testing-library/dom';

import { goBack } from '../run/goback';
import type { Answers } from './run.fixtures';
import { COMMIT_A, COMMIT_B, RUN_A, makeClient, makeRun } from './run.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');
const BACK = `v1/commits/${COMMIT_A}/rollback`;

function aDocument(dirty = false, collaborative = false) {
  return {
    path: 'team/iris/a.ipynb',
    isDisposed: false,
    model: { dirty, collaborative, fromJSON: jest.fn() },
    save: jest.fn(async () => undefined),
    revert: jest.fn(async () => undefined)
  };
}

function start(answers: Answers = {}, save = async () => {}) {
  const { client, asked } = makeClient({
    [`v1/runs/${RUN_A}`]: makeRun(),
    'v1/diff': { old: COMMIT_B, new: COMMIT_A, items: [], total: 3 },
    [BACK]: {
      before: { id: COMMIT_B },
      commit: { id: 'dddd' },
      message: 'Went back.'
    },
    ...answers
  });
  const documents = [aDocument(), aDocument(true), aDocument(false, true)];
  const done = goBack({
    client,
    root: 'team/iris',
    run: RUN_A,
    save: jest.fn(save),
    documents: () => documents as any,
    read: async () => ({ type: 'notebook', content: { cells: [] } }) as any,
    trans
  });
  return { asked, documents, done };
}

async function answer(label: string): Promise<string> {
  // a dialog is hidden for jsdom, which does not know how one is opened
  const button = await screen.findByRole('button', {
    name: label,
    hidden: true
  });
  const text = button.closest('.jp-Dialog-content')?.textContent ?? '';
  fireEvent.click(button);
  return text;
}

const messages = () =>
  Notification.manager.notifications.map(({ type, message }) => [
    type,
    message
  ]);

const paths = (asked: { path: string }[]) => asked.map(({ path }) => path);

describe('goBack', () => {
  afterEach(() => {
    Notification.dismiss();
    Dialog.flush();
  });

  it('says what will happen, saves, goes back and shows what is there', async () => {
    const order: string[] = [];
    const { asked, documents, done } = start({}, async () => {
      order.push(...paths(asked));
    });
    const text = await answer('Go Back');
    expect(text).toContain('3 files differ from the newest commit.');
    expect(text).toContain('everything is committed first');
    // what was typed meanwhile is asked about
    expect(await answer('Keep My Edits')).toContain('not saved');
    expect((await done)?.before?.id).toBe(COMMIT_B);
    expect(order).not.toContain(BACK);
    expect(paths(asked)).toContain(BACK);
    expect(documents[0].revert).toHaveBeenCalled();
    expect(documents[1].revert).not.toHaveBeenCalled();
    // a shared document is changed itself
    expect(documents[2].revert).not.toHaveBeenCalled();
    expect(documents[2].model.fromJSON).toHaveBeenCalledWith({ cells: [] });
    expect(documents[2].save).toHaveBeenCalled();
    expect(messages()).toEqual([
      [
        'success',
        'Went back to run 11111111. What was there before is commit bbbbbbbb.'
      ]
    ]);
  });

  it('does nothing unless it is confirmed', async () => {
    const { asked, done } = start();
    await answer('Cancel');
    expect(await done).toBeNull();
    expect(paths(asked)).not.toContain(BACK);
  });

  it('does nothing when a document cannot be saved', async () => {
    const { asked, documents, done } = start({}, async () => {
      throw new Error('a.ipynb could not be saved.');
    });
    await answer('Go Back');
    expect(await done).toBeNull();
    expect(paths(asked)).not.toContain(BACK);
    expect(documents[0].revert).not.toHaveBeenCalled();
    expect(messages()).toEqual([
      ['error', 'Not gone back to run 11111111: a.ipynb could not be saved.']
    ]);
  });

  it('says when there was nothing to do', async () => {
    const { done } = start({
      [BACK]: { before: { id: COMMIT_B }, commit: null, message: '' }
    });
    await answer('Go Back');
    await answer('Drop Them');
    await done;
    expect(messages()).toEqual([
      ['success', 'The files are as they were in run 11111111 already.']
    ]);
  });
});
