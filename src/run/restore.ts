// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { InputDialog, Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import type { RestoreResult, RunDetail } from '../api/schema';
import { withProgress } from '../progress';
import { shortId } from './format';

/**
 * Propose a folder for the files of a run.
 *
 * @param root - Contents path of the workspace's root.
 * @param run - The run.
 *
 * #### Notes
 * It lies beside the workspace, so that it does not become part of the next commit. Beside
 * the server's own root there is nothing, so there it lies in the workspace.
 */
export function proposeFolder(
  root: string,
  run: Pick<RunDetail, 'id' | 'started' | 'created'>
): string {
  const day = (run.started ?? run.created).slice(0, 10);
  const name = `restored-${day}-${shortId(run.id)}`;
  return root === ''
    ? name
    : PathExt.join(PathExt.dirname(root), `${PathExt.basename(root)}-${name}`);
}

/**
 * Ask for a folder and write the files of a run's commit there.
 *
 * @param options.to - The folder; without it the user is asked.
 * @param options.openFolder - Shows a folder, where there is something to show it in.
 * @returns What was written, or null if the user did not want it or it failed (which they were told).
 */
export async function restoreRun(options: {
  client: ApiClient;
  root: string;
  run: string;
  to?: string;
  openFolder: ((path: string) => void) | null;
  trans: TranslationBundle;
}): Promise<RestoreResult | null> {
  const { client, root, run, openFolder, trans } = options;
  let detail: RunDetail;
  try {
    detail = await client.run(root, run);
  } catch (reason) {
    Notification.error(
      trans.__('The run could not be read: %1', messageOf(reason))
    );
    return null;
  }
  const to = options.to ?? (await askFolder(root, detail, trans));
  if (!to) {
    return null;
  }
  const id = shortId(run);
  try {
    const restored = await withProgress(
      trans.__('Restoring run %1 to %2…', id, to),
      client.restore(root, detail.commit, to)
    );
    Notification.success(trans.__('Run %1 was restored to %2.', id, to), {
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
    Notification.error(
      trans.__('Run %1 was not restored: %2', id, messageOf(reason)),
      { autoClose: false }
    );
    return null;
  }
}

async function askFolder(
  root: string,
  run: RunDetail,
  trans: TranslationBundle
): Promise<string | null> {
  const proposed = proposeFolder(root, run);
  const label =
    root === ''
      ? trans.__(
          'New folder for all files as they were when the run was made. The whole server folder is tracked here, so the restored files become part of the next commit unless .dotscienceignore names the folder:'
        )
      : trans.__(
          'New folder for all files as they were when the run was made. Nothing that exists is changed:'
        );
  const result = await InputDialog.getText({
    title: trans.__('Restore Run %1 to a New Folder', shortId(run.id)),
    label,
    text: proposed,
    required: true,
    okLabel: trans.__('Restore')
  });
  const folder = result.value?.trim().replace(/^\/+|\/+$/g, '');
  return result.button.accept && folder ? folder : null;
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
