// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

// eslint-disable-next-line jupyter/prefer-lazy-imports -- only loaded with import()
import {
  BasicMouseHandler,
  type DataGrid,
  type DataModel
} from '@lumino/datagrid';

import { moveColumn, resizeColumn } from './arrange';
import type { RunsDataModel } from './datamodel';
import type { HeaderCursor } from './headers';
import type { ExplorerModel } from './model';

/** How far the mouse must move before a header is dragged rather than clicked, in px. */
const DRAG = 6;

/** How near to a header's edge its width is changed, in px; as in Lumino's own handler. */
const EDGE = 6;

/** What the handlers work with. */
export interface IHandlerOptions {
  /** The runs. */
  model: ExplorerModel;

  /** Knows which column is where. */
  data: () => RunsDataModel;

  /** The header that keys act on. */
  headers: HeaderCursor;

  /** Open a run. */
  open: (run: string) => void;

  /** Show what can be done with a run, at a place on the page. */
  menu: (run: string, x: number, y: number) => void;

  /** Show what can be done with a column, at a place on the page. */
  columnMenu: (key: string, x: number, y: number) => void;

  /** Give a column the width of its content. */
  fit: (key: string) => void;

  /** Show where a dragged column would go, in px from the grid's left; null for nowhere. */
  mark: (x: number | null) => void;
}

/**
 * What the mouse does: rows are selected, headers sort, move and change their width.
 */
export class RunsMouseHandler extends BasicMouseHandler {
  /**
   * Create a handler.
   *
   * @param _options - What it works with
   */
  constructor(private readonly _options: IHandlerOptions) {
    super();
  }

  release(): void {
    this._press = null;
    this._options.mark(null);
    super.release();
  }

  onMouseDown(grid: DataGrid, event: MouseEvent): void {
    this._options.headers.leave();
    const hit = grid.hitTest(event.clientX, event.clientY);
    if (hit.region === 'body' || hit.region === 'row-header') {
      const how = event.shiftKey
        ? 'range'
        : event.ctrlKey || event.metaKey
          ? 'toggle'
          : 'one';
      void this._options.model.selectRow(hit.row, how);
      return;
    }
    if (hit.region === 'void') {
      return;
    }
    const edge = edgeAt(hit);
    if (edge) {
      this._resizing = edge;
      super.onMouseDown(grid, event);
      return;
    }
    this._press = {
      region: hit.region,
      key: this._options.data().key(hit.region, hit.column),
      x: event.clientX,
      isDrag: false,
      to: -1
    };
  }

  onMouseMove(grid: DataGrid, event: MouseEvent): void {
    const press = this._press;
    if (!press) {
      super.onMouseMove(grid, event);
      return;
    }
    if (Math.abs(event.clientX - press.x) > DRAG) {
      press.isDrag = true;
    }
    if (press.isDrag) {
      this._options.mark(this._drop(grid, press, event));
    }
  }

  onMouseUp(grid: DataGrid, event: MouseEvent): void {
    const press = this._press;
    const resizing = this._resizing;
    this._resizing = null;
    if (press) {
      const { model } = this._options;
      if (!press.isDrag) {
        model.sortBy(press.key, event.shiftKey);
      } else if (press.to >= 0) {
        moveColumn(model, press.key, press.to);
      }
    }
    super.onMouseUp(grid, event);
    if (resizing) {
      this._keepWidth(grid, resizing.region, resizing.column);
    }
  }

  onMouseDoubleClick(grid: DataGrid, event: MouseEvent): void {
    const hit = grid.hitTest(event.clientX, event.clientY);
    if (hit.region === 'body' || hit.region === 'row-header') {
      const row = this._options.model.rows.row(hit.row);
      if (row) {
        this._options.open(row.id);
      }
    }
    const edge = edgeAt(hit);
    if (edge) {
      const { data, fit } = this._options;
      fit(data().key(edge.region, edge.column));
    }
    this.release();
  }

  onContextMenu(grid: DataGrid, event: MouseEvent): void {
    const hit = grid.hitTest(event.clientX, event.clientY);
    const isRow = hit.region === 'body' || hit.region === 'row-header';
    const { columnMenu, data, menu, model } = this._options;
    if (!isRow && hit.region !== 'void') {
      event.preventDefault();
      event.stopPropagation();
      columnMenu(
        data().key(hit.region, hit.column),
        event.clientX,
        event.clientY
      );
      return;
    }
    const row = isRow ? model.rows.row(hit.row) : null;
    if (!row) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    void model.selectRow(hit.row, model.selection.has(row.id) ? 'move' : 'one');
    menu(row.id, event.clientX, event.clientY);
  }

  onMouseHover(grid: DataGrid, event: MouseEvent): void {
    super.onMouseHover(grid, event);
    const hit = grid.hitTest(event.clientX, event.clientY);
    const isHeader =
      hit.region === 'column-header' || hit.region === 'corner-header';
    const { style } = grid.viewport.node;
    if (isHeader && (style.cursor === '' || style.cursor === 'default')) {
      style.cursor = 'pointer';
    } else if (style.cursor === 'ns-resize') {
      style.cursor = isHeader ? 'pointer' : '';
    }
  }

  /** Where a dragged column would go: remembers the index and tells the place in px. */
  private _drop(
    grid: DataGrid,
    press: IPress,
    event: MouseEvent
  ): number | null {
    const isPinned = press.region === 'corner-header';
    const region: DataModel.ColumnRegion = isPinned ? 'row-header' : 'body';
    const { lx } = grid.mapToLocal(event.clientX, event.clientY);
    const start = isPinned ? 0 : grid.headerWidth;
    const scroll = isPinned ? 0 : grid.scrollX;
    const wanted = lx - start + scroll;
    const count = this._options.data().columnCount(region);
    let left = 0;
    let index = 0;
    for (; index < count; index++) {
      const size = grid.columnSize(region, index);
      if (wanted < left + size / 2) {
        break;
      }
      left += size;
    }
    press.to = index;
    const x = start + left - scroll;
    return x < start || x > grid.viewportWidth ? null : x;
  }

  private _keepWidth(
    grid: DataGrid,
    region: DataModel.ColumnRegion,
    column: number
  ): void {
    const { data, model } = this._options;
    const key = data().key(region, column);
    const width = grid.columnSize(region, column);
    if (key !== undefined && width > 0) {
      resizeColumn(model, key, width);
    }
  }

  private _press: IPress | null = null;
  private _resizing: IEdge | null = null;
}

/** The column whose width is changed at a place. */
interface IEdge {
  readonly region: DataModel.ColumnRegion;
  readonly column: number;
}

function edgeAt(hit: DataGrid.HitTestResult): IEdge | null {
  if (hit.region !== 'column-header' && hit.region !== 'corner-header') {
    return null;
  }
  const isLeft = hit.column > 0 && hit.x <= EDGE - 1;
  if (!isLeft && hit.width - hit.x > EDGE) {
    return null;
  }
  return {
    region: hit.region === 'corner-header' ? 'row-header' : 'body',
    column: isLeft ? hit.column - 1 : hit.column
  };
}

interface IPress {
  readonly region: DataModel.CellRegion;
  readonly key: string;
  readonly x: number;
  isDrag: boolean;
  to: number;
}
