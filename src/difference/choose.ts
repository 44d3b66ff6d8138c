// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ApiError, type ApiClient } from '../api/client';
import type { Commit, RunSummary } from '../api/schema';
import { errorOf } from '../reason';
import { firstLine, formatTime, runTitle, shortId } from '../run/format';
import { MomentBox, type IChosen } from './momentbox';
import { NOW } from './reader';

/** How many runs and commits are offered. */
const RECENT = 200;

const RUN = 'run:';

interface IOptions {
  client: ApiClient;
  workspace: string;
  title: string;
  label: string;
  now: boolean;
  trans: TranslationBundle;
}

/**
 * Have the user choose a moment: now, a run, or a commit.
 *
 * @param options.now - Whether the live folder can be chosen
 * @returns The moment as the server understands it, or null
 *
 * #### Notes
 * The newest ones are offered, and any that have the words that are typed. What is typed may also be
 * any name that the server understands, or the first characters of a run's id.
 */
export async function chooseMoment(options: IOptions): Promise<string | null> {
  const { client, workspace, title, trans } = options;
  try {
    const page = { limit: RECENT };
    const [runs, commits] = await Promise.all([
      client.runs(workspace, page).then(({ items }) => items),
      client.commits(workspace, page).then(({ items }) => items)
    ]);
    const offered = choices(options, commits, runs);
    if (offered.size === 0) {
      await showErrorMessage(
        title,
        trans.__('This workspace has no commit yet.')
      );
      return null;
    }
    return await ask(options, offered);
  } catch (reason) {
    await showErrorMessage(
      trans.__('The runs and commits could not be read'),
      errorOf(reason)
    );
    return null;
  }
}

/**
 * Ask until the answer means something, or nothing is wanted.
 */
async function ask(
  options: IOptions,
  offered: ReadonlyMap<string, string>
): Promise<string | null> {
  const { client, workspace, title, label, now, trans } = options;
  let typed = '';
  let note = '';
  for (;;) {
    const body = new MomentBox({
      label,
      typed,
      note,
      offered,
      search: async words => {
        const page = { search: words, limit: RECENT };
        const [commits, runs] = await Promise.all([
          client.commits(workspace, page),
          client.runs(workspace, page)
        ]);
        return choices({ ...options, now: false }, commits.items, runs.items);
      },
      accept: () => dialog.resolve(1),
      trans
    });
    const dialog = new Dialog<IChosen>({
      title,
      body,
      buttons: [Dialog.cancelButton(), Dialog.okButton()],
      focusNodeSelector: 'input'
    });
    const { button, value } = await dialog.launch();
    if (!button.accept || !value) {
      return null;
    }
    typed = value.typed;
    const ref =
      value.ref ??
      (typed === NOW && now ? NOW : await named(client, workspace, typed));
    if (ref !== null) {
      return ref;
    }
    if (value.matching.length === 1) {
      return value.matching[0];
    }
    note =
      value.matching.length > 0
        ? trans.__('Choose one of those that have these words.')
        : trans.__('No commit and no run is called so, or has these words.');
  }
}

/**
 * The moment that a name means: a commit's or a run's; null where it means nothing.
 */
async function named(
  client: ApiClient,
  workspace: string,
  name: string
): Promise<string | null> {
  const run = name.startsWith(RUN) ? name.slice(RUN.length).trim() : name;
  if (run === '') {
    return null;
  }
  if (run === name) {
    const commit = await unlessUnknown(client.commitDetail(workspace, name));
    if (commit) {
      return commit.id;
    }
  }
  const found = await unlessUnknown(client.run(workspace, run));
  return found ? `${RUN}${found.id}` : null;
}

/**
 * What the server tells; null where it says that there is no such thing, or that the name is none.
 */
async function unlessUnknown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (reason) {
    if (
      reason instanceof ApiError &&
      reason.status >= 400 &&
      reason.status < 500
    ) {
      return null;
    }
    throw reason;
  }
}

function choices(
  { now, trans }: IOptions,
  commits: readonly Commit[],
  runs: readonly RunSummary[]
): Map<string, string> {
  const refs = new Map<string, string>();
  if (now) {
    refs.set(trans.__('Now: the files as they are'), NOW);
  }
  for (const commit of commits) {
    refs.set(commitLabel(commit, trans), commit.id);
  }
  for (const run of runs) {
    refs.set(runLabel(run, trans), `${RUN}${run.id}`);
  }
  return refs;
}

function commitLabel(commit: Commit, trans: TranslationBundle): string {
  const message = firstLine(commit.message);
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
