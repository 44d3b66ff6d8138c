// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { InputDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { ApiClient } from '../api/client';
import type { RunSummary } from '../api/schema';
import { errorOf } from '../reason';
import type { IWorkspaceTracker } from '../tokens';
import { formatTime, runTitle, shortId } from './format';

/**
 * How many runs are offered.
 */
const RECENT = 200;

/**
 * The length of a UUID.
 */
const ID_LENGTH = 36;

/**
 * Have the user choose one of the newest runs.
 *
 * @param options.except - A run that is not offered.
 * @returns The id of the run, or null.
 */
export async function chooseRun(options: {
  client: ApiClient;
  workspace: string;
  title: string;
  label: string;
  except?: string;
  trans: TranslationBundle;
}): Promise<string | null> {
  const { client, workspace, title, label, except, trans } = options;
  let runs: RunSummary[];
  try {
    runs = (await client.runs(workspace, { limit: RECENT })).items;
  } catch (reason) {
    await showErrorMessage(
      trans.__('The runs could not be read'),
      errorOf(reason)
    );
    return null;
  }
  const ids = new Map(
    runs
      .filter(run => run.id !== except)
      .map(run => [choiceLabel(run, trans), run.id])
  );
  if (ids.size === 0) {
    await showErrorMessage(
      title,
      except
        ? trans.__('This workspace has no other run yet.')
        : trans.__('This workspace has no run yet.')
    );
    return null;
  }
  const result = await InputDialog.getItem({
    title,
    label,
    items: [...ids.keys()]
  });
  if (!result.button.accept || result.value === null) {
    return null;
  }
  return ids.get(result.value) ?? null;
}

function choiceLabel(run: RunSummary, trans: TranslationBundle): string {
  // the id tells runs apart that look alike
  return [
    runTitle(run, trans),
    formatTime(run.started ?? run.created),
    run.workload_file ?? '',
    shortId(run.id)
  ]
    .filter(part => part !== '')
    .join(' · ');
}

/**
 * The workspace that a command is about: the one in its arguments, else the one at hand.
 */
export function workspaceOf(
  args: ReadonlyPartialJSONObject,
  tracker: IWorkspaceTracker
): string {
  return typeof args.workspace === 'string'
    ? args.workspace
    : (tracker.workspace?.path ?? tracker.path);
}

/**
 * The root of the workspace that holds a path; the path itself where it cannot be known.
 */
export async function rootOf(
  path: string,
  tracker: IWorkspaceTracker
): Promise<string> {
  if (path === tracker.workspace?.path) {
    return path;
  }
  try {
    return (await tracker.client.workspace(path)).workspace?.path ?? path;
  } catch {
    // what needs the root says itself what is wrong when it asks
    return path;
  }
}

/**
 * The id in a command's arguments, or one that the user chooses.
 */
export async function runOf(
  args: ReadonlyPartialJSONObject,
  tracker: IWorkspaceTracker,
  title: string,
  trans: TranslationBundle
): Promise<string | null> {
  if (typeof args.run === 'string' && args.run) {
    return fullId(args.run, args, tracker);
  }
  return chooseRun({
    client: tracker.client,
    workspace: workspaceOf(args, tracker),
    title,
    label: trans.__('Run:'),
    trans
  });
}

/**
 * The whole id of a run that is named by the start of its id.
 */
async function fullId(
  id: string,
  args: ReadonlyPartialJSONObject,
  tracker: IWorkspaceTracker
): Promise<string> {
  if (id.length >= ID_LENGTH) {
    return id;
  }
  try {
    return (await tracker.client.run(workspaceOf(args, tracker), id)).id;
  } catch {
    // what is done with the run says itself what is wrong
    return id;
  }
}
