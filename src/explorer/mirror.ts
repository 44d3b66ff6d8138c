// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import type { DataGrid } from '@lumino/datagrid';

import { cellText, columnTitle, liveText } from './cells';
import type { HeaderCursor } from './headers';
import type { ExplorerModel } from './model';

/** How many rows are told at a time. */
const ROWS = 60;

/**
 * The rows on the screen as an ARIA grid, for those who do not see the canvas.
 */
export class Mirror {
  /**
   * Create the grid inside the node that has the focus.
   *
   * @param _options - What is told
   */
  constructor(private readonly _options: Mirror.IOptions) {
    const { grid, trans } = _options;
    const node = grid.viewport.node;
    node.tabIndex = 0;
    node.setAttribute('role', 'grid');
    node.setAttribute('aria-label', trans.__('Runs'));
    node.setAttribute('aria-multiselectable', 'true');
    node.setAttribute('aria-readonly', 'true');
    for (const canvas of node.querySelectorAll('canvas')) {
      canvas.setAttribute('aria-hidden', 'true');
    }
    this._body.className = 'jp-Dotscience-visuallyHidden';
    this._body.setAttribute('role', 'rowgroup');
    node.appendChild(this._body);
    this._news.className = 'jp-Dotscience-visuallyHidden';
    this._news.setAttribute('role', 'status');
    grid.node.appendChild(this._news);
  }

  /** Have something said that the grid itself does not say. */
  say(text: string): void {
    this._news.textContent = text;
  }

  /** Tell what is on the screen now. */
  update(): void {
    const { grid, headers, model, trans } = this._options;
    const node = grid.viewport.node;
    const { keys } = headers;
    const total = model.rows.count;
    node.setAttribute('aria-rowcount', String(total + 1));
    node.setAttribute('aria-colcount', String(keys.length));
    node.setAttribute('aria-busy', String(model.rows.isBusy));
    const rows: HTMLElement[] = [this._header(keys)];
    const view = grid.currentViewport;
    const indexes = new Set<number>();
    if (view) {
      const last = Math.min(view.lastRow, total - 1, view.firstRow + ROWS);
      for (let index = Math.max(0, view.firstRow); index <= last; index++) {
        indexes.add(index);
      }
    }
    const active = model.selection.row;
    if (active >= 0 && active < total) {
      indexes.add(active);
    }
    for (const index of [...indexes].sort((a, b) => a - b)) {
      const found = model.rows.row(index);
      const row = element('row');
      row.id = `${this._id}-${index}`;
      row.setAttribute('aria-rowindex', String(index + 2));
      row.setAttribute(
        'aria-selected',
        String(found !== null && model.selection.has(found.id))
      );
      keys.forEach((key, column) => {
        const cell = element(column === 0 ? 'rowheader' : 'gridcell');
        const value = found ? (found.values[key] ?? null) : null;
        const text = cellText(model.column(key), value, trans);
        cell.textContent = !found
          ? trans.__('Reading…')
          : found.live && column === 0
            ? trans.__('%1 (%2)', text, liveText(found.live, trans))
            : !found.live && model.isBest(key, value)
              ? trans.__('%1 (best)', text)
              : text;
        row.appendChild(cell);
      });
      rows.push(row);
    }
    this._body.replaceChildren(...rows);
    if (headers.key !== null) {
      const column = keys.indexOf(headers.key);
      node.setAttribute('aria-activedescendant', `${this._id}-head-${column}`);
    } else if (active >= 0 && active < total) {
      node.setAttribute('aria-activedescendant', `${this._id}-${active}`);
    } else {
      node.removeAttribute('aria-activedescendant');
    }
  }

  private _header(keys: readonly string[]): HTMLElement {
    const { model, trans } = this._options;
    const row = element('row');
    row.setAttribute('aria-rowindex', '1');
    keys.forEach((key, column) => {
      const cell = element('columnheader');
      cell.id = `${this._id}-head-${column}`;
      cell.setAttribute('aria-haspopup', 'menu');
      cell.textContent = columnTitle(model.column(key), key, trans);
      const sort = model.state.sort.find(each => each.key === key);
      if (sort) {
        cell.setAttribute(
          'aria-sort',
          sort.descending ? 'descending' : 'ascending'
        );
      }
      row.appendChild(cell);
    });
    return row;
  }

  private _body = document.createElement('div');
  private _id = `dotscience-grid-${UUID.uuid4()}`;
  private _news = document.createElement('div');
}

/**
 * A namespace for `Mirror` types.
 */
export namespace Mirror {
  /** What is told. */
  export interface IOptions {
    /** The table. */
    grid: DataGrid;

    /** The header that keys act on. */
    headers: HeaderCursor;

    /** The runs. */
    model: ExplorerModel;

    /** The translation bundle. */
    trans: TranslationBundle;
  }
}

function element(role: string): HTMLElement {
  const node = document.createElement('div');
  node.setAttribute('role', role);
  return node;
}
