// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';

import { withProgress } from '../progress';

const shown = () =>
  Notification.manager.notifications.map(({ type, message }) => [
    type,
    message
  ]);

describe('withProgress', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    Notification.dismiss();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('shows nothing of quick work', async () => {
    expect(await withProgress('Working…', Promise.resolve(3))).toBe(3);
    await jest.advanceTimersByTimeAsync(5000);
    expect(shown()).toEqual([]);
  });

  it('shows slow work until it ends, and for long enough to be seen', async () => {
    let end: (value: string) => void = () => undefined;
    const work = withProgress(
      'Working…',
      new Promise<string>(resolve => {
        end = resolve;
      })
    );
    await jest.advanceTimersByTimeAsync(600);
    expect(shown()).toEqual([['in-progress', 'Working…']]);
    end('done');
    expect(await work).toBe('done');
    expect(shown()).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1000);
    expect(shown()).toEqual([]);
  });

  it('leaves failures to the caller', async () => {
    const failing = withProgress('Working…', Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    await jest.advanceTimersByTimeAsync(5000);
    expect(shown()).toEqual([]);
  });
});
