// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { InputDialog, Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import type { CommitDetail, RestoreResult, RunDetail } from '../api/schema';
import { withProgress } from '../progress';
import { tellFailure } from '../reason';
import { formatTime, shortId } from './format';

/**
 * What restoring needs, whatever is restored.
 */
export interface IRestore {
  /** The API. */
  client: ApiClient;

  /** Contents path of the workspace's root. */
  root: string;

  /** The folder; without it the user is asked. */
  to?: string;

  /** Shows a folder, where there is something to show it in. */
  openFolder: ((path: string) => void) | null;

  /** The translations. */
  trans: TranslationBundle;
}

/**
 * What is said while something is restored.
 */
interface IWords {
  /** Title of the question for the folder. */
  title: string;

  /** The question. */
  label: string;

  /** What is being done, with the folder. */
  doing: (to: string) => string;

  /** That it was done. */
  done: (to: string) => string;

  /** That it was not. */
  failed: string;
}

/**
 * Propose a folder for the files of a run or commit.
 *
 * @param root - Contents path of the workspace's root.
 * @param moment - The run or commit.
 *
 * #### Notes
 * It lies beside the workspace, so that it does not become part of the next commit. Beside
 * the server's own root there is nothing, so there it lies in the workspace.
 */
export function proposeFolder(
  root: string,
  moment: { id: string; started?: string | null; created: string }
): string {
  const day = (moment.started ?? moment.created).slice(0, 10);
  const name = `restored-${day}-${shortId(moment.id)}`;
  return root === ''
    ? name
    : PathExt.join(PathExt.dirname(root), `${PathExt.basename(root)}-${name}`);
}

/**
 * Ask for a folder and write the files of a run's commit there.
 *
 * @returns What was written, or null if the user did not want it or it failed (which they were told).
 */
export async function restoreRun(
  options: IRestore & { run: string }
): Promise<RestoreResult | null> {
  const { client, root, run, trans } = options;
  let detail: RunDetail;
  try {
    detail = await client.run(root, run);
  } catch (reason) {
    tellFailure(trans, trans.__('The run could not be read'), reason);
    return null;
  }
  const id = shortId(run);
  return restore(options, detail, detail.commit, [], {
    title: trans.__('Restore Run %1 to a New Folder', id),
    label: trans.__(
      'New folder for all files as they were when the run was made.'
    ),
    doing: to => trans.__('Restoring run %1 to %2…', id, to),
    done: to => trans.__('Run %1 was restored to %2.', id, to),
    failed: trans.__('Run %1 was not restored', id)
  });
}

/**
 * Ask for a folder and write files of a commit there.
 *
 * @param options.paths - The files and folders of the commit; everything when empty
 * @returns What was written, or null if the user did not want it or it failed (which they were told).
 */
export async function restoreCommit(
  options: IRestore & { commit: string; paths: readonly string[] }
): Promise<RestoreResult | null> {
  const { client, root, commit, paths, trans } = options;
  let detail: CommitDetail;
  try {
    detail = await client.commitDetail(root, commit);
  } catch (reason) {
    tellFailure(trans, trans.__('The commit could not be read'), reason);
    return null;
  }
  const id = shortId(detail.id);
  const then = formatTime(detail.created);
  const [first] = paths;
  if (paths.length === 0) {
    return restore(options, detail, detail.id, [], {
      title: trans.__('Restore Commit %1 to a New Folder', id),
      label: trans.__('New folder for all files as they were on %1.', then),
      doing: to => trans.__('Restoring commit %1 to %2…', id, to),
      done: to => trans.__('Commit %1 was restored to %2.', id, to),
      failed: trans.__('Commit %1 was not restored', id)
    });
  }
  const what =
    paths.length === 1
      ? first
      : trans.__(
          '%1 and %2',
          first,
          trans._n('one more', '%1 more', paths.length - 1)
        );
  return restore(options, detail, detail.id, [...paths], {
    title: trans.__('Restore to a New Folder'),
    label: trans.__('New folder for %1 as of %2.', what, then),
    doing: to => trans.__('Restoring %1 to %2…', what, to),
    done: to => trans.__('%1 was restored to %2.', what, to),
    failed: trans.__('%1 was not restored', what)
  });
}

async function restore(
  options: IRestore,
  moment: { id: string; started?: string | null; created: string },
  commit: string,
  paths: string[],
  words: IWords
): Promise<RestoreResult | null> {
  const { client, root, openFolder, trans } = options;
  const to =
    options.to ??
    (await askFolder(root, proposeFolder(root, moment), words, trans));
  if (!to) {
    return null;
  }
  try {
    const restored = await withProgress(
      words.doing(to),
      client.restore(root, commit, to, paths)
    );
    Notification.success(words.done(to), {
      autoClose: 10000,
      actions: openFolder
        ? [
            {
              label: trans.__('Open Folder'),
              callback: () => openFolder(to)
            }
          ]
        : []
    });
    return restored;
  } catch (reason) {
    tellFailure(trans, words.failed, reason);
    return null;
  }
}

async function askFolder(
  root: string,
  proposed: string,
  words: IWords,
  trans: TranslationBundle
): Promise<string | null> {
  const effect =
    root === ''
      ? trans.__(
          'The whole server folder is tracked here, so the restored files become part of the next commit unless .dotscienceignore names the folder:'
        )
      : trans.__('Nothing that exists is changed:');
  const result = await InputDialog.getText({
    title: words.title,
    label: `${words.label} ${effect}`,
    text: proposed,
    required: true,
    okLabel: trans.__('Restore')
  });
  const folder = result.value?.trim().replace(/^\/+|\/+$/g, '');
  return result.button.accept && folder ? folder : null;
}
