// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { DataGrid } from '@lumino/datagrid';

import { resizeColumn } from './arrange';
import type { IHandlerOptions } from './handlers';

/** By how much a key changes the width of a column, in px. */
const STEP = 10;

/**
 * What keys do: they move the active row, select, and open runs; above the first row they act on
 * headers, which sort, change their width and have a menu.
 */
export class RunsKeyHandler implements DataGrid.IKeyHandler {
  /**
   * Create a handler.
   *
   * @param _options - What it works with
   */
  constructor(private readonly _options: IHandlerOptions) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
  }

  onKeyDown(grid: DataGrid, event: KeyboardEvent): void {
    const key = this._options.headers.key;
    const isDone =
      key === null
        ? this._onRows(grid, event)
        : this._onHeader(grid, key, event);
    if (isDone) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** Act on rows. Returns whether the key means something there. */
  private _onRows(grid: DataGrid, event: KeyboardEvent): boolean {
    const { headers, model, open } = this._options;
    const { selection } = model;
    const first =
      selection.row >= 0
        ? selection.row
        : (grid.currentViewport?.firstRow ?? 0);
    const hasModifier = event.shiftKey || event.ctrlKey || event.metaKey;
    const rows = Math.max(
      1,
      Math.floor(grid.pageHeight / grid.defaultSizes.rowHeight) - 1
    );
    switch (event.key) {
      case 'ArrowUp':
        if (!hasModifier && first <= 0) {
          headers.enter();
          this._show(grid);
        } else {
          this._step(grid, event, -1);
        }
        break;
      case 'ArrowDown':
        this._step(grid, event, 1);
        break;
      case 'PageUp':
        this._step(grid, event, -rows);
        break;
      case 'PageDown':
        this._step(grid, event, rows);
        break;
      case 'Home':
        this._step(grid, event, -Infinity);
        break;
      case 'End':
        this._step(grid, event, Infinity);
        break;
      case 'ArrowLeft':
        grid.scrollByStep('left');
        break;
      case 'ArrowRight':
        grid.scrollByStep('right');
        break;
      case ' ':
        if (selection.row >= 0) {
          void model.selectRow(selection.row, 'toggle');
        }
        break;
      case 'Enter':
        if (selection.active !== null) {
          open(selection.active);
        }
        break;
      case 'Escape':
        selection.set([]);
        break;
      case 'ContextMenu':
        this._menu(grid);
        break;
      case 'F10':
        if (!event.shiftKey) {
          return false;
        }
        this._menu(grid);
        break;
      case 'a':
        if (!event.ctrlKey && !event.metaKey) {
          return false;
        }
        void model.selectRange(0, Math.max(0, model.rows.count - 1));
        break;
      default:
        return false;
    }
    return true;
  }

  /** Act on a header. Returns whether the key means something there. */
  private _onHeader(
    grid: DataGrid,
    key: string,
    event: KeyboardEvent
  ): boolean {
    const { headers, model } = this._options;
    switch (event.key) {
      case 'ArrowLeft':
      case 'ArrowRight': {
        const by = event.key === 'ArrowLeft' ? -1 : 1;
        if (event.shiftKey) {
          const { column, region } = this._place(key);
          resizeColumn(model, key, grid.columnSize(region, column) + by * STEP);
        } else {
          headers.step(by);
        }
        break;
      }
      case 'Home':
        headers.step(-Infinity);
        break;
      case 'End':
        headers.step(Infinity);
        break;
      case 'ArrowDown':
        if (event.altKey) {
          this._columnMenu(grid, key);
          return true;
        }
        headers.leave();
        return true;
      case 'Escape':
        headers.leave();
        return true;
      case 'ArrowUp':
        break;
      case 'Enter':
      case ' ':
        model.sortBy(key, event.shiftKey);
        break;
      case 'ContextMenu':
        this._columnMenu(grid, key);
        break;
      case 'F10':
        if (!event.shiftKey) {
          return false;
        }
        this._columnMenu(grid, key);
        break;
      default:
        return false;
    }
    this._show(grid);
    return true;
  }

  /** Bring the header that keys act on into view. */
  private _show(grid: DataGrid): void {
    const { key } = this._options.headers;
    if (key !== null) {
      const { column, region } = this._place(key);
      if (region === 'body') {
        grid.scrollToColumn(column);
      }
    }
  }

  private _place(key: string): {
    region: 'row-header' | 'body';
    column: number;
  } {
    const { pinned, scrolling } = this._options.model;
    const column = pinned.indexOf(key);
    return column >= 0
      ? { region: 'row-header', column }
      : { region: 'body', column: scrolling.indexOf(key) };
  }

  private _columnMenu(grid: DataGrid, key: string): void {
    this._show(grid);
    const { column, region } = this._place(key);
    const box = grid.viewport.node.getBoundingClientRect();
    const left =
      grid.columnOffset(region, column) +
      (region === 'body' ? grid.headerWidth - grid.scrollX : 0);
    this._options.columnMenu(key, box.left + left, box.top + grid.headerHeight);
  }

  private _step(grid: DataGrid, event: KeyboardEvent, by: number): void {
    const { model } = this._options;
    const last = model.rows.count - 1;
    if (last < 0) {
      return;
    }
    const { row } = model.selection;
    const from =
      row >= 0 ? row : (grid.currentViewport?.firstRow ?? 0) - Math.sign(by);
    const to = Math.min(last, Math.max(0, from + by));
    const how = event.shiftKey
      ? 'range'
      : event.ctrlKey || event.metaKey
        ? 'move'
        : 'one';
    void model.selectRow(to, how);
    grid.scrollToRow(model.selection.row);
  }

  private _menu(grid: DataGrid): void {
    const { menu, model } = this._options;
    const { active, row } = model.selection;
    if (active === null || row < 0) {
      return;
    }
    grid.scrollToRow(row);
    const box = grid.viewport.node.getBoundingClientRect();
    menu(
      active,
      box.left + 24,
      box.top +
        grid.headerHeight +
        (row + 1) * grid.defaultSizes.rowHeight -
        grid.scrollY
    );
  }

  private _isDisposed = false;
}
