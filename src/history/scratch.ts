// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import { tellFailure } from '../reason';
import type { HistoryClient } from './client';

/**
 * Copy a file of a commit beside the present one and open the copy.
 *
 * @param options.open - Opens a file of the server, with a kernel where it has one
 * @returns Contents path of the copy, or null if there is none (which the user was told)
 */
export async function scratchCopy(options: {
  history: Pick<HistoryClient, 'scratchCopy'>;
  workspace: string;
  commit: string;
  path: string;
  open: (path: string) => void;
  trans: TranslationBundle;
}): Promise<string | null> {
  const { history, workspace, commit, path, open, trans } = options;
  try {
    const copy = await history.scratchCopy(workspace, commit, path);
    open(copy.path);
    return copy.path;
  } catch (reason) {
    tellFailure(trans, trans.__('%1 was not copied', path), reason);
    return null;
  }
}
