// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Commit, CommitList } from '../api/schema';

/** How many commits there are. */
export const TOTAL = 100_000;

/** The id of a commit, by its sequence. */
export function idOf(sequence: number): string {
  return sequence.toString(16).padStart(64, '0');
}

/**
 * A commit.
 */
export function aCommit(fields: Partial<Commit> = {}): Commit {
  const sequence = fields.sequence ?? 2;
  return {
    id: idOf(sequence),
    sequence,
    parents: sequence > 1 ? [idOf(sequence - 1)] : [],
    snapshot: 's',
    type: 'dotscience.files.v1',
    message: `number ${sequence}`,
    author: 'Ada',
    created: '2026-03-04T05:06:07Z',
    runs: [],
    files: sequence > 1 ? 3 : null,
    ...fields
  };
}

/**
 * A client that has a long history, and what it was asked.
 */
export function aHistoryOf(state: { total: number; message?: string }) {
  const asked: { offset: number; search: string }[] = [];
  const commits = async (
    _: string,
    { limit = 100, offset = 0, search = '' } = {}
  ): Promise<CommitList> => {
    asked.push({ offset, search });
    const total = search ? Math.min(state.total, 1) : state.total;
    const items: Commit[] = [];
    for (let at = offset; at < Math.min(offset + limit, total); at++) {
      const message = state.message && { message: state.message };
      items.push(aCommit({ sequence: state.total - at, ...message }));
    }
    return { items, total, offset };
  };
  const commitDetail = async (_: string, id: string) => ({
    ...aCommit({ sequence: parseInt(id, 16) }),
    metadata: {},
    content_id: ''
  });
  return { asked, client: { commits, commitDetail } };
}
