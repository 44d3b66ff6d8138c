// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { ApiError } from '../api/client';
import type { Column, LiveRun, Table } from '../api/schema';
import { asApiError } from '../request';
import type { Scalar } from '../run/format';
import { cellText } from './cells';
import type { ExplorerClient, ITableQuery } from './client';
import { PageCache } from './pages';
import { RunSelection } from './selection';
import {
  defaultColumns,
  directionOf,
  FRESH,
  MAX_SELECTED,
  nextSort,
  parseState,
  sortText,
  stateToJSON,
  type Direction,
  type IExplorerState
} from './state';
import { TableRows } from './tablerows';

/** How long news must pause before what depends on all runs is asked for again, in ms. */
const NEWS = 300;

/**
 * What an explorer shows: the runs of a workspace as rows, which of them, and how.
 */
export class ExplorerModel implements IDisposable {
  /**
   * Create a model; {@link load} reads what runs have and the first rows.
   *
   * @param options - Where runs come from and how they were shown before
   */
  constructor(options: ExplorerModel.IOptions) {
    this.client = options.client;
    this._state = parseState(options.state ?? FRESH);
    this.selection.set(this._state.selected);
    this._pages = new PageCache({
      read: (offset, limit, signal) =>
        this.client.table(this.query, offset, limit, signal),
      onPage: (table, first) => this._onPage(table, first),
      onError: reason => this._onRowsError(reason)
    });
    this.rows = new TableRows(this._pages);
    this.selection.changed.connect(this._onSelectionChanged, this);
  }

  /** The part of the API that it asks. */
  readonly client: ExplorerClient;

  /** The rows: runs under way, and below them those that match. */
  readonly rows: TableRows;

  /** The selected runs. */
  readonly selection = new RunSelection();

  /** Emitted when anything but rows and selection changed. */
  get changed(): ISignal<ExplorerModel, void> {
    return this._changed;
  }

  /** Emitted when rows have come. */
  get rowsChanged(): ISignal<ExplorerModel, void> {
    return this._rowsChanged;
  }

  /** Emitted when the runs under way changed. */
  get liveChanged(): ISignal<ExplorerModel, void> {
    return this._liveChanged;
  }

  /** Emitted when something that comes back after a reload changed. */
  get stateChanged(): ISignal<ExplorerModel, void> {
    return this._stateChanged;
  }

  /** A contents path in the workspace. */
  get workspace(): string {
    return this.client.path;
  }

  /** How the runs are shown. */
  get state(): IExplorerState {
    return this._state;
  }

  /** What the runs have; empty while nobody knows. */
  get columns(): readonly Column[] {
    return this._columns;
  }

  /** Why that could not be read. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Why the rows could not be read: mostly what is wrong with the condition. */
  get rowsError(): ApiError | null {
    return this._rowsError;
  }

  /** How many published runs match; -1 while nobody knows. */
  get total(): number {
    return this._pages.total;
  }

  /** Changes when what was made of all runs has to be made again. */
  get revision(): number {
    return this._revision;
  }

  /** Runs that have begun and are not published. */
  get live(): readonly LiveRun[] {
    return this._live;
  }

  /** Keys of the columns that scroll. */
  get scrolling(): readonly string[] {
    const { columns, pinned } = this._state;
    const known = new Set(this._columns.map(each => each.key));
    return (columns ?? defaultColumns(this._columns, pinned)).filter(
      key => !pinned.includes(key) && (known.size === 0 || known.has(key))
    );
  }

  /** Keys of the columns that stay. */
  get pinned(): readonly string[] {
    return this._state.pinned;
  }

  /** Which rows are asked for. */
  get query(): ITableQuery {
    const { where, search, sort } = this._state;
    return {
      where,
      search,
      sort: sortText(sort),
      columns: [...this.pinned, ...this.scrolling]
    };
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.selection.changed.disconnect(this._onSelectionChanged, this);
    if (this._news !== null) {
      clearTimeout(this._news);
    }
    this._pages.dispose();
    Signal.clearData(this);
    Signal.clearData(this.selection);
  }

  /** A column by its key. */
  column(key: string): Column | undefined {
    return this._byKey.get(key);
  }

  /** The text of a value of a column. */
  text(key: string, value: Scalar, trans: TranslationBundle): string {
    return cellText(this.column(key), value, trans);
  }

  /** Read what runs have, the first rows and the runs under way. */
  async load(): Promise<void> {
    await this._readColumns();
    if (!this._isDisposed && !this._error) {
      if (!this.rows.isBusy) {
        this.rows.refresh();
      }
      await this.loadLive();
    }
  }

  /** The runs changed: read again what is looked at. */
  onRunsChanged(): void {
    this.rows.refresh();
    if (this._news === null) {
      this._news = setTimeout(() => {
        this._news = null;
        void this._readColumns();
        void this.loadLive();
      }, NEWS);
    }
  }

  /** Read the runs under way; of several calls at a time only the newest counts. */
  async loadLive(): Promise<void> {
    const turn = ++this._liveTurn;
    try {
      const { items } = await this.client.live();
      if (!this._isDisposed && turn === this._liveTurn) {
        this._live = items;
        this._placeLive();
        this._liveChanged.emit();
        this._rowsChanged.emit();
      }
    } catch {
      // What is known stays; the next event asks again.
    }
  }

  /**
   * Record a run whose process is gone as failed.
   *
   * @returns One sentence that says what became of it
   */
  async abandon(run: string): Promise<string> {
    const { message } = await this.client.abandon(run);
    await this.loadLive();
    return message;
  }

  /** Change how the runs are shown. */
  update(change: Partial<IExplorerState>): void {
    const before = this.query;
    this._state = { ...this._state, ...change };
    const after = this.query;
    if (JSON.stringify(before) !== JSON.stringify(after)) {
      const isReordered =
        before.where === after.where &&
        before.search === after.search &&
        before.sort === after.sort;
      if (!isReordered) {
        this.selection.lose();
      }
      this._rowsError = null;
      if (
        !isReordered ||
        after.columns.some(key => !before.columns.includes(key))
      ) {
        this.rows.refresh();
      }
    }
    this._changed.emit();
    this._stateChanged.emit();
  }

  /**
   * Sort by a column, as a click on its header does.
   *
   * @param key - The column
   * @param add - As a further key
   */
  sortBy(key: string, add: boolean): void {
    const column = this.column(key);
    // A click on a metric brings its best values to the top.
    const first =
      column !== undefined &&
      (this.direction(key) === 'higher' || column.type === 'time');
    this.update({ sort: nextSort(this._state.sort, key, add, first) });
  }

  /** Which values of a column are the good ones. */
  direction(key: string): Direction {
    const column = this.column(key);
    return column ? directionOf(column, this._state.directions) : 'none';
  }

  /** Whether a value is the best of all rows that match. */
  isBest(key: string, value: Scalar): boolean {
    const best = this._best.get(key);
    if (best === undefined || typeof value !== 'number') {
      return false;
    }
    const [lowest, highest] = best;
    if (lowest === highest) {
      return false;
    }
    switch (this.direction(key)) {
      case 'lower':
        return value === lowest;
      case 'higher':
        return value === highest;
      default:
        return false;
    }
  }

  /**
   * Select the run of a row.
   *
   * @param index - The row
   * @param how - `one`: and no other; `toggle`: or no longer; `range`: and all from the anchor
   * to it; `move`: only make it the active one
   */
  async selectRow(
    index: number,
    how: 'one' | 'toggle' | 'range' | 'move'
  ): Promise<void> {
    const { selection } = this;
    const anchor = selection.anchor >= 0 ? selection.anchor : index;
    selection.activate(
      this.rows.row(index)?.id ?? null,
      index,
      how !== 'range'
    );
    if (how === 'range') {
      // A step towards the other end makes the range shorter again.
      const first = Math.max(
        Math.min(anchor, index),
        anchor - MAX_SELECTED + 1
      );
      const last = Math.min(Math.max(anchor, index), first + MAX_SELECTED - 1);
      if (selection.anchor < 0) {
        selection.activate(selection.active, index);
      }
      await this.selectRange(first, last);
      return;
    }
    if (!this.rows.row(index)) {
      await this.rows.ensure(index, index);
      if (selection.row !== index) {
        return;
      }
    }
    const row = this.rows.row(index);
    if (row) {
      selection.activate(row.id, index, false);
      if (how === 'one') {
        selection.set([row.id]);
      } else if (how === 'toggle') {
        selection.toggle(row.id);
      }
    }
  }

  /** Select the runs of some rows and no others; at most `MAX_SELECTED` of them. */
  async selectRange(first: number, last: number): Promise<void> {
    const turn = ++this._rangeTurn;
    last = Math.min(last, this.rows.count - 1, first + MAX_SELECTED - 1);
    await this.rows.ensure(first, last);
    if (turn !== this._rangeTurn || this._isDisposed) {
      return;
    }
    const ids: string[] = [];
    for (let index = first; index <= last; index++) {
      const row = this.rows.row(index);
      if (row) {
        ids.push(row.id);
      }
    }
    this.selection.set(ids);
  }

  /** Show the runs as a state that was kept says. */
  restore(kept: unknown): void {
    const state = parseState(kept);
    this.update(state);
    this.selection.set(state.selected);
  }

  /** What comes back after a reload. */
  toJSON(): ReadonlyPartialJSONObject {
    return stateToJSON({ ...this._state, selected: this.selection.ids });
  }

  private async _readColumns(): Promise<void> {
    try {
      const { items } = await this.client.columns();
      if (this._isDisposed) {
        return;
      }
      const before = JSON.stringify(this.query.columns);
      this._columns = items;
      this._byKey = new Map(items.map(each => [each.key, each]));
      this._placeLive();
      this._error = null;
      if (JSON.stringify(this.query.columns) !== before) {
        this.rows.refresh();
      }
    } catch (reason) {
      if (this._isDisposed) {
        return;
      }
      this._error = asApiError(reason);
    }
    this._revision += 1;
    this._changed.emit();
  }

  /** Put the runs under way above the others; what is selected stays so. */
  private _placeLive(): void {
    const { rows, selection } = this;
    const { active, row } = selection;
    const before = rows.above;
    rows.setLive(this._live, this._columns);
    selection.moved(before, rows.above - before);
    if (active !== null && row >= 0 && row < before) {
      selection.activate(active, rows.find(active));
    }
  }

  private _onPage(table: Table, first: number): void {
    this._placeLive();
    this._best = new Map(
      Object.entries(table.best).filter(([, range]) => range.length === 2)
    );
    const hadError = this._rowsError !== null;
    this._rowsError = null;
    const { selection } = this;
    if (selection.active !== null) {
      const index = table.runs.indexOf(selection.active);
      const row = this.rows.above + first + index;
      if (index >= 0 && selection.row !== row) {
        selection.activate(selection.active, row);
      }
    }
    this._rowsChanged.emit();
    if (hadError) {
      this._changed.emit();
    }
  }

  private _onRowsError(reason: unknown): void {
    this._rowsError = asApiError(reason);
    this._changed.emit();
  }

  private _onSelectionChanged(): void {
    this._stateChanged.emit();
  }

  private _best = new Map<string, readonly number[]>();
  private _byKey = new Map<string, Column>();
  private _changed = new Signal<ExplorerModel, void>(this);
  private _columns: readonly Column[] = [];
  private _error: ApiError | null = null;
  private _isDisposed = false;
  private _live: readonly LiveRun[] = [];
  private _liveChanged = new Signal<ExplorerModel, void>(this);
  private _liveTurn = 0;
  private _news: ReturnType<typeof setTimeout> | null = null;
  private _pages: PageCache;
  private _rangeTurn = 0;
  private _revision = 0;
  private _rowsChanged = new Signal<ExplorerModel, void>(this);
  private _rowsError: ApiError | null = null;
  private _state: IExplorerState;
  private _stateChanged = new Signal<ExplorerModel, void>(this);
}

/**
 * A namespace for `ExplorerModel` types.
 */
export namespace ExplorerModel {
  /** What a model works with. */
  export interface IOptions {
    /** The part of the API that it asks. */
    client: ExplorerClient;

    /** How the runs were shown before. */
    state?: unknown;
  }
}
