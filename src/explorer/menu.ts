// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import type { ExplorerModel } from './model';

/**
 * What can be done with a run of the table.
 */
export class ExplorerMenu {
  /**
   * Create the menu.
   *
   * @param _commands - The application's commands; those that are missing are left out
   * @param _model - Knows the workspace and which runs are selected
   * @param done - Called before the menu closes: the focus goes back to where it was
   */
  constructor(
    private readonly _commands: CommandRegistry,
    private readonly _model: ExplorerModel,
    done: () => void
  ) {
    this._menu = new Menu({ commands: _commands });
    this._menu.aboutToClose.connect(done);
  }

  /**
   * Show the menu for a run.
   *
   * @param run - The run's id
   * @param x - Where on the page, in px
   * @param y - Where on the page, in px
   */
  open(run: string, x: number, y: number): void {
    const { rows, selection, workspace } = this._model;
    const args = { run, workspace };
    this._menu.clearItems();
    this._add(CommandIDs.openRun, args);
    if (rows.isLive(run)) {
      // there is no commit of it yet
      this._add(CommandIDs.copyRunId, args);
      this._menu.open(x, y);
      return;
    }
    this._add(CommandIDs.openNotebookAtRun, args);
    this._add(CommandIDs.browseCommit, args);
    const others = selection.ids.filter(id => id !== run);
    if (selection.has(run) && others.length === 1 && !rows.isLive(others[0])) {
      this._add(CommandIDs.compareRuns, { a: others[0], b: run, workspace });
    }
    this._add(CommandIDs.openProvenance, { start: run, workspace });
    this._add(CommandIDs.restoreRun, args);
    this._menu.addItem({ type: 'separator' });
    this._add(CommandIDs.copyRunId, args);
    this._add(CommandIDs.copyRunLink, args);
    this._menu.open(x, y);
  }

  /** Take the menu away for good. */
  dispose(): void {
    this._menu.dispose();
  }

  private _add(command: string, args: ReadonlyJSONObject): void {
    if (this._commands.hasCommand(command)) {
      this._menu.addItem({ command, args });
    }
  }

  private _menu: Menu;
}
