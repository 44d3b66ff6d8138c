// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, MainAreaWidget, Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { fireEvent, screen, waitFor } from '@testing-library/dom';

import { ApiError } from '../api/client';
import type { IBringBack } from '../history/bringback';
import { bringBack } from '../history/bringback';
import { ask } from '../history/question';
import { scratchCopy } from '../history/scratch';
import { aHistory, aVersion } from './history.fixtures';

const trans = nullTranslator.load('dotscience_jupyter');
const COMMIT = 'a'.repeat(64);

function aDocument(fields: { dirty?: boolean; collaborative?: boolean } = {}) {
  return {
    path: 'project/model.txt',
    isDisposed: false,
    model: {
      dirty: false,
      collaborative: false,
      fromString: jest.fn(),
      fromJSON: jest.fn(),
      ...fields
    },
    save: jest.fn(async function (this: any) {
      this.model.dirty = false;
    }),
    revert: jest.fn(async () => undefined)
  };
}

function start(
  documents: ReturnType<typeof aDocument>[] = [],
  fields: Partial<Omit<IBringBack, 'client' | 'history'>> = {}
) {
  const order: string[] = [];
  const options = {
    client: {
      commitDetail: jest.fn(async () => ({ created: '2026-02-03T04:05:06Z' })),
      commit: jest.fn(async (_: string, message: string) => {
        order.push(message);
      })
    },
    history: {
      versions: jest.fn(async () => aHistory([aVersion()], { present: 'now' })),
      bringBack: jest.fn(async () => ({ message: 'It is back.' }))
    },
    workspace: 'project',
    commit: COMMIT,
    path: 'old.txt',
    file: 'model.txt',
    contentsPath: 'project/model.txt',
    documents: () => documents,
    modified: async () => '2026-03-04T05:06:07Z',
    read: async () => ({ type: 'file', content: 'as it was' }),
    trans,
    ...fields,
    confirm: jest.fn<Promise<boolean>, [string]>(
      fields.confirm ?? (async () => true)
    )
  };
  return {
    done: bringBack(options as unknown as IBringBack),
    options,
    order
  };
}

async function answer(label: string): Promise<string> {
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

afterEach(() => {
  Notification.dismiss();
  Dialog.flush();
});

describe('bringBack', () => {
  it('asks with both moments, tells the server what was shown, and shows what is there', async () => {
    const document = aDocument();
    const { done, options } = start([document]);
    expect(await done).toBe(true);
    const [[question]] = options.confirm.mock.calls;
    expect(question).toContain('Feb 3, 2026');
    expect(question).toContain('Mar 4, 2026');
    expect(options.history.bringBack).toHaveBeenCalledWith(
      'project',
      COMMIT,
      'old.txt',
      'project/model.txt',
      'now'
    );
    expect(document.revert).toHaveBeenCalled();
    expect(messages()).toEqual([['success', 'It is back.']]);
  });

  it('does nothing unless it is wanted', async () => {
    const { done, options } = start([], { confirm: async () => false });
    expect(await done).toBe(false);
    expect(options.history.bringBack).not.toHaveBeenCalled();
    expect(messages()).toEqual([]);
  });

  it('saves what is open before the difference is shown, if the user lets it', async () => {
    const document = aDocument({ dirty: true });
    const refused = start([document]);
    await answer('Cancel');
    expect(await refused.done).toBe(false);
    expect(document.save).not.toHaveBeenCalled();
    expect(refused.options.confirm).not.toHaveBeenCalled();
    const { done, options } = start([document]);
    await answer('Save and Go On');
    expect(await done).toBe(true);
    expect(document.save).toHaveBeenCalled();
    expect(options.history.bringBack).toHaveBeenCalled();
  });

  it('does nothing when the document is edited while the question stands', async () => {
    const document = aDocument();
    const { done, options } = start([document], {
      confirm: async () => {
        document.model.dirty = true;
        return true;
      }
    });
    expect(await done).toBe(false);
    expect(options.history.bringBack).not.toHaveBeenCalled();
    expect(messages()[0][1]).toContain('was edited since');
  });

  it('tells when the file changed meanwhile, with a way to look again', async () => {
    const { done, options } = start();
    options.history.bringBack.mockRejectedValueOnce(
      new ApiError(409, 'changed', 'It has changed.')
    );
    expect(await done).toBe(false);
    const [notification] = Notification.manager.notifications;
    expect(notification.message).toContain('It has changed.');
    notification.options.actions![0].callback(new MouseEvent('click'));
    await waitFor(() =>
      expect(options.history.bringBack).toHaveBeenCalledTimes(2)
    );
  });

  it('changes a shared document itself, between two commits, and never its file', async () => {
    // it is saved by itself, so that it may be dirty at any moment
    const document = aDocument({ collaborative: true, dirty: true });
    const { done, options, order } = start([document]);
    document.save.mockImplementation(async () => {
      order.push('saved');
    });
    document.model.fromString.mockImplementation(() => {
      order.push('changed');
    });
    expect(await done).toBe(true);
    expect(order).toEqual([
      'saved',
      'Before bringing back model.txt as of aaaaaaaa',
      'changed',
      'saved',
      'Brought back model.txt as of aaaaaaaa'
    ]);
    expect(document.model.fromString).toHaveBeenCalledWith('as it was');
    expect(document.revert).not.toHaveBeenCalled();
    expect(options.history.bringBack).not.toHaveBeenCalled();
  });

  it('asks what becomes of what was typed while it was written', async () => {
    const document = aDocument();
    const { done, options } = start([document]);
    options.history.bringBack.mockImplementationOnce(async () => {
      document.model.dirty = true;
      return { message: 'It is back.' };
    });
    expect(await answer('Keep My Edits')).toContain('not saved');
    expect(await done).toBe(true);
    expect(document.revert).not.toHaveBeenCalled();
  });
});

describe('the question', () => {
  it('stands over the difference, and closing that is no', async () => {
    const tab = new MainAreaWidget({ content: new Widget() });
    Widget.attach(tab, document.body);
    const first = ask('Really?', tab, trans);
    fireEvent.click(await screen.findByText('Bring Back'));
    expect(await first).toBe(true);
    const second = ask('Really?', tab, trans);
    const third = ask('And now?', tab, trans);
    expect(await second).toBe(false);
    tab.dispose();
    expect(await third).toBe(false);
  });

  it('is a dialog where there is nothing to stand over', async () => {
    const asked = ask('Really?', null, trans);
    expect(await answer('Bring Back')).toContain('Really?');
    expect(await asked).toBe(true);
  });
});

describe('scratchCopy', () => {
  const options = {
    workspace: 'project',
    commit: COMMIT,
    path: 'a.txt',
    trans
  };

  it('opens the copy', async () => {
    const open = jest.fn();
    const history = { scratchCopy: async () => ({ path: 'project/a-1.txt' }) };
    const path = await scratchCopy({ ...options, history, open });
    expect(path).toBe('project/a-1.txt');
    expect(open).toHaveBeenCalledWith('project/a-1.txt');
  });

  it('says why there is none', async () => {
    const open = jest.fn();
    const history = {
      scratchCopy: async () => Promise.reject(new Error('No room.'))
    };
    expect(await scratchCopy({ ...options, history, open })).toBeNull();
    expect(open).not.toHaveBeenCalled();
    expect(messages()).toEqual([['error', 'a.txt was not copied: No room.']]);
  });
});
