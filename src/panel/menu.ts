// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

import type { RunSummary } from '../api/schema';
import { CommandIDs } from '../commands';
import type { PanelModel } from './model';

/**
 * What can be done with a run of the list.
 */
export class RunMenu {
  /**
   * Create the menu.
   *
   * @param commands - The application's commands; those that are missing are left out
   * @param model - Knows the workspace and which runs are chosen
   */
  constructor(
    private readonly _commands: CommandRegistry,
    private readonly _model: PanelModel
  ) {
    this._menu = new Menu({ commands: _commands });
  }

  /**
   * Show the menu for a run.
   *
   * @param run - The run
   * @param x - Where on the page, in px
   * @param y - Where on the page, in px
   */
  open(run: RunSummary, x: number, y: number): void {
    const workspace = this._model.tracker.workspace?.path ?? '';
    const args = { run: run.id, workspace };
    this._menu.clearItems();
    this._add(CommandIDs.openRun, args);
    this._add(CommandIDs.openNotebookAtRun, args);
    this._add(CommandIDs.browseCommit, args);
    const other = this._model.selected.filter(id => id !== run.id).pop();
    if (other !== undefined) {
      this._add(CommandIDs.compareRuns, { a: other, b: run.id, workspace });
    }
    this._add(CommandIDs.openDifference, {
      old: `run:${run.id}`,
      new: 'now',
      workspace,
      isMenu: true
    });
    this._add(CommandIDs.openMerge, { theirs: `run:${run.id}`, workspace });
    this._add(CommandIDs.restoreRun, args);
    this._add(CommandIDs.goBack, args);
    this._menu.addItem({ type: 'separator' });
    this._add(CommandIDs.copyRunId, args);
    this._add(CommandIDs.copyRunLink, args);
    this._menu.open(x, y);
  }

  private _add(command: string, args: ReadonlyJSONObject): void {
    if (this._commands.hasCommand(command)) {
      this._menu.addItem({ command, args });
    }
  }

  private _menu: Menu;
}
