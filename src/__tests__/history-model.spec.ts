// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ApiError } from '../api/client';
import { HistoryModel } from '../history/model';
import { aHistory, aVersion } from './history.fixtures';
import { later } from './utils';

function make(total: number) {
  const all = Array.from({ length: total }, (_, index) =>
    aVersion({ commit: `c${index}` })
  );
  const versions = jest.fn(
    async (
      path: string,
      file: string,
      { offset = 0, limit = 100 }: { offset?: number; limit?: number } = {}
    ) => aHistory(all.slice(offset, offset + limit), { total, offset })
  );
  const model = new HistoryModel({
    client: { versions },
    workspace: 'project',
    file: 'model.bin',
    contentsPath: 'project/model.bin'
  });
  return { model, versions, all };
}

describe('HistoryModel', () => {
  it('reads pages one after the other, and anew as many as are shown', async () => {
    const { model, versions } = make(120);
    await model.load();
    expect(model.versions).toHaveLength(50);
    expect(model.hasMore).toBe(true);
    await model.more();
    await model.more();
    expect(model.versions.map(({ commit }) => commit)).toEqual(
      Array.from({ length: 120 }, (_, index) => `c${index}`)
    );
    expect(model.hasMore).toBe(false);
    await model.load();
    expect(versions).toHaveBeenLastCalledWith('project', 'model.bin', {
      offset: 0,
      limit: 120
    });
    expect(model.versions).toHaveLength(120);
  });

  it('keeps what it has when the server fails, and says why', async () => {
    const { model, versions } = make(3);
    await model.load();
    versions.mockRejectedValueOnce(new ApiError(500, 'unreadable', 'No disk.'));
    await model.load();
    expect(model.error?.message).toBe('No disk.');
    expect(model.versions).toHaveLength(3);
    await model.load();
    expect(model.error).toBeNull();
  });

  it('heeds the last answer only, and none after its end', async () => {
    const { model, versions } = make(3);
    const slow = later<ReturnType<typeof aHistory>>();
    versions.mockReturnValueOnce(slow.promise);
    const first = model.load();
    await model.load();
    slow.resolve(aHistory([aVersion({ commit: 'old' })]));
    await first;
    expect(model.versions[0].commit).toBe('c0');
    const last = model.load();
    model.dispose();
    await last;
    expect(model.isDisposed).toBe(true);
  });
});
