// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { FileHistory, FileVersion } from '../api/schema';

/** Text that must never become markup. */
export const EVIL = '<img src=x onerror="window.hacked=1">';

/** A version of a file. */
export function aVersion(fields: Partial<FileVersion> = {}): FileVersion {
  return {
    commit: 'a'.repeat(64),
    path: 'model.bin',
    created: '2026-02-03T04:05:06Z',
    author: 'ada',
    message: 'train',
    change: 'modified',
    digest: 'd'.repeat(64),
    size: 1200,
    runs: [],
    total_runs: 0,
    ...fields
  };
}

/** A page of versions. */
export function aHistory(
  items: FileVersion[],
  fields: Partial<FileHistory> = {}
): FileHistory {
  return {
    path: 'model.bin',
    items,
    total: items.length,
    offset: 0,
    changed: false,
    present: 'd'.repeat(64),
    ...fields
  };
}
