// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { InputDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import type { Commit, RunSummary } from '../api/schema';
import { formatTime, runTitle, shortId } from '../run/format';
import { NOW } from './reader';

/** How many runs and commits are offered. */
const RECENT = 200;

/**
 * Have the user choose a moment: now, a run, or a commit.
 *
 * @param options.now - Whether the live folder can be chosen
 * @returns The moment as the server understands it, or null
 */
export async function chooseMoment(options: {
  client: ApiClient;
  workspace: string;
  title: string;
  label: string;
  now: boolean;
  trans: TranslationBundle;
}): Promise<string | null> {
  const { client, workspace, title, label, now, trans } = options;
  let runs: RunSummary[];
  let commits: Commit[];
  try {
    const page = { limit: RECENT };
    [runs, commits] = await Promise.all([
      client.runs(workspace, page).then(({ items }) => items),
      client.commits(workspace, page).then(({ items }) => items)
    ]);
  } catch (reason) {
    await showErrorMessage(
      trans.__('The runs and commits could not be read'),
      reason instanceof Error ? reason : String(reason)
    );
    return null;
  }
  const refs = new Map<string, string>();
  if (now) {
    refs.set(trans.__('Now: the files as they are'), NOW);
  }
  for (const commit of commits) {
    refs.set(commitLabel(commit, trans), commit.id);
  }
  for (const run of runs) {
    refs.set(runLabel(run, trans), `run:${run.id}`);
  }
  if (refs.size === 0) {
    await showErrorMessage(
      title,
      trans.__('This workspace has no commit yet.')
    );
    return null;
  }
  const result = await InputDialog.getItem({
    title,
    label,
    items: [...refs.keys()]
  });
  if (!result.button.accept || result.value === null) {
    return null;
  }
  return refs.get(result.value) ?? null;
}

function commitLabel(commit: Commit, trans: TranslationBundle): string {
  const message = commit.message.trim().split('\n', 1)[0];
  return trans.__(
    'Commit %1 · %2 · %3',
    shortId(commit.id),
    formatTime(commit.created),
    message || trans.__('without a description')
  );
}

function runLabel(run: RunSummary, trans: TranslationBundle): string {
  return trans.__(
    'Run %1 · %2 · %3',
    shortId(run.id),
    formatTime(run.started ?? run.created),
    runTitle(run, trans)
  );
}
