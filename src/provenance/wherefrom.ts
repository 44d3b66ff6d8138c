// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands';
import { parseDrivePath } from '../drive/paths';
import { serverPath } from '../follow';
import { tellFailure } from '../reason';
import type { IWorkspaceTracker } from '../tokens';
import { toFolderPath } from './paths';

/**
 * Show where a file came from, or say why that is not known.
 *
 * @param options.file - Contents path of a file of the server, or of a commit on our drive
 */
export async function showWhereFrom(options: {
  file: string;
  contents: Contents.IManager;
  tracker: IWorkspaceTracker;
  commands: CommandRegistry;
  trans: TranslationBundle;
}): Promise<void> {
  const { file, contents, tracker, commands, trans } = options;
  const open = (start: string, workspace: string): Promise<unknown> =>
    commands.execute(CommandIDs.openProvenance, {
      start,
      direction: 'up',
      workspace
    });
  const frozen = parseDrivePath(file);
  if (frozen) {
    await open(`file:${frozen.path}@${frozen.commit}`, frozen.workspace);
    return;
  }
  const path = serverPath(contents, file);
  if (path === null) {
    Notification.info(
      trans.__(
        '%1 is not a file of this server, so nothing is recorded of where it came from.',
        file
      )
    );
    return;
  }
  try {
    const { workspace } = await tracker.client.workspace(path);
    const inside = workspace && toFolderPath(workspace, path);
    if (!workspace || inside === null) {
      Notification.info(
        trans.__(
          'The folder of %1 is not tracked, so it is not known where the file came from.',
          path
        ),
        {
          autoClose: 10_000,
          actions: [
            {
              label: trans.__('Start Tracking'),
              callback: () => {
                void commands.execute(CommandIDs.startTracking);
              }
            }
          ]
        }
      );
      return;
    }
    await open(`file:${inside}`, workspace.path);
  } catch (reason) {
    tellFailure(
      trans,
      trans.__('It could not be found out where %1 came from', path),
      reason
    );
  }
}
