// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

// eslint-disable-next-line jupyter/prefer-lazy-imports -- only loaded with import()
import { DataModel } from '@lumino/datagrid';

import type { Scalar } from '../run/format';
import type { ExplorerModel } from './model';

/** What a cell shows; `undefined` while its row is being read. */
export type Cell = Scalar | undefined;

/**
 * The rows as the data grid draws them: pinned columns are its row header.
 */
export class RunsDataModel extends DataModel {
  /**
   * Create a data model.
   *
   * @param _model - The runs
   * @param _onMissing - Called when a cell of a row that has not been read is drawn
   */
  constructor(
    private readonly _model: ExplorerModel,
    private readonly _onMissing: () => void
  ) {
    super();
    this._read();
  }

  /** How many rows there are for the grid. */
  rowCount(region: DataModel.RowRegion): number {
    return region === 'body' ? this._count : 1;
  }

  columnCount(region: DataModel.ColumnRegion): number {
    return region === 'body' ? this._scrolling.length : this._pinned.length;
  }

  data(region: DataModel.CellRegion, row: number, column: number): Cell {
    const key = this.key(region, column);
    if (region === 'column-header' || region === 'corner-header') {
      return this._model.column(key)?.name ?? key;
    }
    const found = this._model.rows.row(row);
    if (!found) {
      this._onMissing();
      return undefined;
    }
    return found.values[key];
  }

  /** The key of a column. */
  key(region: DataModel.CellRegion, column: number): string {
    return region === 'row-header' || region === 'corner-header'
      ? this._pinned[column]
      : this._scrolling[column];
  }

  /** Take over the model's rows and columns, and have drawn what changed. */
  sync(): void {
    const { pinned, scrolling } = this._model;
    const isSame =
      sameItems(pinned, this._pinned) && sameItems(scrolling, this._scrolling);
    if (!isSame) {
      this._read();
      this.emitChanged({ type: 'model-reset' });
      return;
    }
    const { count } = this._model.rows;
    const change = count - this._count;
    if (change !== 0) {
      const index = Math.min(count, this._count);
      this._count = count;
      this.emitChanged({
        type: change > 0 ? 'rows-inserted' : 'rows-removed',
        region: 'body',
        index,
        span: Math.abs(change)
      });
    }
    this.redraw();
  }

  /** Have all cells drawn anew. */
  redraw(): void {
    const regions: [DataModel.CellRegion, number, number][] = [
      ['body', this._count, this._scrolling.length],
      ['row-header', this._count, this._pinned.length],
      ['column-header', 1, this._scrolling.length],
      ['corner-header', 1, this._pinned.length]
    ];
    for (const [region, rowSpan, columnSpan] of regions) {
      if (rowSpan > 0 && columnSpan > 0) {
        this.emitChanged({
          type: 'cells-changed',
          region,
          row: 0,
          column: 0,
          rowSpan,
          columnSpan
        });
      }
    }
  }

  private _read(): void {
    this._pinned = this._model.pinned;
    this._scrolling = this._model.scrolling;
    this._count = this._model.rows.count;
  }

  private _count = 0;
  private _pinned: readonly string[] = [];
  private _scrolling: readonly string[] = [];
}

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
