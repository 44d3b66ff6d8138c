// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Column, LiveRun } from '../api/schema';
import type { Scalar } from '../run/format';
import type { IRow, PageCache } from './pages';

/** A row of the table. */
export interface ITableRow extends IRow {
  /** How it is with a run that is not published; undefined for runs that are. */
  readonly live?: LiveRun['state'];
}

/**
 * All rows of the table: runs under way first, whatever the order, and the pages below them.
 */
export class TableRows {
  /**
   * Create the rows.
   *
   * @param _pages - The published runs
   */
  constructor(private readonly _pages: PageCache) {}

  /** How many rows there are. */
  get count(): number {
    return this.above + Math.max(0, this._pages.total);
  }

  /** How many of them are runs under way. */
  get above(): number {
    return this._live.length;
  }

  /** Whether pages are on their way. */
  get isBusy(): boolean {
    return this._pages.isBusy;
  }

  /** A row; null while it has not been read. */
  row(index: number): ITableRow | null {
    return this._live[index] ?? this._pages.row(index - this.above);
  }

  /** Whether a run is one under way. */
  isLive(id: string): boolean {
    return this._live.some(row => row.id === id);
  }

  /** Where a run stands among the rows that have been read; -1 when it is not among them. */
  find(id: string): number {
    const live = this._live.findIndex(row => row.id === id);
    if (live >= 0) {
      return live;
    }
    const index = this._pages.find(id);
    return index < 0 ? -1 : this.above + index;
  }

  /** Say which rows are looked at. */
  want(first: number, last: number): void {
    this._pages.want(
      Math.max(0, first - this.above),
      Math.max(0, last - this.above)
    );
  }

  /** Have some rows read; resolves when they are there, or when that failed. */
  async ensure(first: number, last: number): Promise<void> {
    if (last >= this.above) {
      await this._pages.ensure(
        Math.max(0, first - this.above),
        last - this.above
      );
    }
  }

  /** Read anew what is looked at: the query changed, or the runs. */
  refresh(): void {
    this._pages.refresh();
  }

  /**
   * Tell which runs are under way.
   *
   * #### Notes
   * A run that was published meanwhile may still be among them: its row in the pages is what it
   * has become.
   */
  setLive(runs: readonly LiveRun[], columns: readonly Column[]): void {
    this._live = runs
      .filter(({ id }) => this._pages.find(id) < 0)
      .map(run => ({
        id: run.id,
        live: run.state,
        values: liveValues(run, columns)
      }));
  }

  private _live: readonly ITableRow[] = [];
}

/**
 * What a run under way has so far, by the keys of the columns.
 */
function liveValues(run: LiveRun, columns: readonly Column[]): IRow['values'] {
  const values: Record<string, Scalar> = {
    id: run.id,
    description: run.description,
    author: run.author,
    file: run.workload_file,
    started: run.started,
    status: run.state
  };
  for (const { kind, key, name } of columns) {
    if (kind === 'parameter') {
      values[key] = run.parameters[name] ?? null;
    } else if (kind === 'label') {
      values[key] = run.labels[name] ?? null;
    } else if (kind === 'metric') {
      const series = run.series.find(each => each.name === name);
      values[key] = series?.last ?? run.metrics[name] ?? null;
    }
  }
  return values;
}
