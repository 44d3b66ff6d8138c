// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import { canShift, hideColumn, pinColumn, shiftColumn } from './arrange';
import type { ExplorerModel } from './model';

/**
 * What can be done with a column of the table.
 */
export class ColumnMenu {
  /**
   * Create the menu.
   *
   * @param _options - What it acts on
   */
  constructor(private readonly _options: ColumnMenu.IOptions) {
    const { done, fit, model, trans } = _options;
    // What these do belongs to one column of one table, so they are nobody else's commands.
    const commands = new CommandRegistry();
    this._menu = new Menu({ commands });
    const add = (
      id: string,
      label: string | (() => string),
      execute: (key: string) => void,
      isEnabled: (key: string) => boolean = () => true
    ): void => {
      commands.addCommand(id, {
        label,
        isEnabled: () => isEnabled(this._key),
        describedBy: { args: { type: 'object', properties: {} } },
        execute: () => execute(this._key)
      });
      this._menu.addItem({ command: id });
    };
    const sort = (descending: boolean) => (key: string) =>
      model.update({ sort: [{ key, descending }] });
    add('ascending', trans.__('Sort Ascending'), sort(false));
    add('descending', trans.__('Sort Descending'), sort(true));
    add(
      'unsorted',
      trans.__('Do Not Sort by It'),
      key =>
        model.update({
          sort: model.state.sort.filter(each => each.key !== key)
        }),
      key => model.state.sort.some(each => each.key === key)
    );
    this._menu.addItem({ type: 'separator' });
    add(
      'left',
      trans.__('Move Left'),
      key => shiftColumn(model, key, -1),
      key => canShift(model, key, -1)
    );
    add(
      'right',
      trans.__('Move Right'),
      key => shiftColumn(model, key, 1),
      key => canShift(model, key, 1)
    );
    add(
      'pin',
      () =>
        model.pinned.includes(this._key)
          ? trans.__('Unpin')
          : trans.__('Pin at the Left'),
      key => pinColumn(model, key)
    );
    add('fit', trans.__('Fit Width to Content'), fit);
    this._menu.addItem({ type: 'separator' });
    add('hide', trans.__('Hide'), key => hideColumn(model, key));
    this._menu.aboutToClose.connect(done);
  }

  /**
   * Show the menu for a column.
   *
   * @param key - The column
   * @param x - Where on the page, in px
   * @param y - Where on the page, in px
   */
  open(key: string, x: number, y: number): void {
    this._key = key;
    this._menu.title.label = this._options.model.column(key)?.name ?? key;
    this._menu.open(x, y);
  }

  /** Take the menu away for good. */
  dispose(): void {
    this._menu.dispose();
  }

  private _key = '';
  private _menu: Menu;
}

/**
 * A namespace for `ColumnMenu` types.
 */
export namespace ColumnMenu {
  /** What a menu acts on. */
  export interface IOptions {
    /** The columns. */
    model: ExplorerModel;

    /** Give a column the width of its content. */
    fit: (key: string) => void;

    /** Called before the menu closes: the focus goes back to where it was. */
    done: () => void;

    /** The translation bundle. */
    trans: TranslationBundle;
  }
}
