// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { dotscienceIcon } from '../icons';
import { StatusItem, type IStatusWords } from '../statusitem';
import type { IWorkspaceTracker } from '../tokens';
import { engineText, stateText } from './header';

/**
 * The committer's state in the status bar; nothing in a folder that is not tracked.
 */
export class WorkspaceStatusItem extends StatusItem {
  /**
   * Create the item.
   *
   * @param _tracker - Knows the state
   * @param commands - The application's commands
   * @param _trans - The translation bundle
   */
  constructor(
    private readonly _tracker: IWorkspaceTracker,
    commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super(commands, dotscienceIcon, [
      _tracker.workspaceChanged,
      _tracker.statusChanged
    ]);
  }

  protected words(): IStatusWords | null {
    const { connection, status, workspace } = this._tracker;
    const trans = this._trans;
    if (!workspace) {
      return null;
    }
    const isOffline = connection === 'offline';
    const text = isOffline
      ? trans.__('Server not reached')
      : stateText(status, trans);
    return {
      state: isOffline ? 'error' : (status?.status ?? 'unknown'),
      text,
      title: trans.__(
        '%1: %2. %3. Click to show the runs.',
        workspace.name,
        text,
        engineText(workspace, trans)
      )
    };
  }
}
