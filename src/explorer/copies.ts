// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { DataGrid } from '@lumino/datagrid';

type Blit = (
  source: HTMLCanvasElement,
  x: number,
  y: number,
  width: number,
  height: number,
  toX: number,
  toY: number
) => void;

/**
 * Lets a data grid copy what it painted once, not column by column.
 *
 * #### Notes
 * The grid paints each column beside the screen and copies it there, since a cell's text may
 * be longer than its cell. Each copy makes the browser keep the whole picture once more: with
 * fifteen columns and no graphics card a frame takes 60 ms. Ours stay within their cells and
 * clear them first, so when all columns are painted the picture is right, and one copy does.
 *
 * The grid has no public way to say so. Where the inner method that is replaced here is gone,
 * the grid paints as it always did.
 */
export class Copies {
  /**
   * Take over the copying of a grid.
   *
   * @param grid - A grid without merged cells, whose renderers stay within their cells
   */
  constructor(grid: DataGrid) {
    const blit: unknown = Reflect.get(grid, '_blitContent');
    if (typeof blit !== 'function') {
      return;
    }
    const copy: Blit = (source, ...numbers) => {
      if (this._isPainting) {
        this._source = source;
      } else {
        Reflect.apply(blit, grid, [source, ...numbers]);
      }
    };
    this._copy = copy;
    Object.defineProperty(grid, '_blitContent', { value: copy });
  }

  /** Hold back copies until the end. */
  begin(): void {
    this._isPainting = true;
    this._source = null;
  }

  /** Copy the part that was painted. */
  end(x: number, y: number, width: number, height: number): void {
    this._isPainting = false;
    if (this._source) {
      this._copy?.(this._source, x, y, width, height, x, y);
      this._source = null;
    }
  }

  private _copy: Blit | null = null;
  private _isPainting = false;
  private _source: HTMLCanvasElement | null = null;
}
