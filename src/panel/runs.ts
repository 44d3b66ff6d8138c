// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { ApiClient, ApiError } from '../api/client';
import type { RunList, RunSummary } from '../api/schema';
import { asApiError, isAbort } from '../request';

/** How many runs are asked for at a time. */
export const PAGE_SIZE = 100;

/** How many pages are kept; the least recently seen go first. */
export const MAX_PAGES = 12;

/** How many pages are asked for at the same time. */
const MAX_REQUESTS = 2;

/**
 * Which runs are listed, and in which order.
 */
export interface IRunsFilter {
  /** Words to look for. */
  readonly search: string;

  /** A condition. */
  readonly where: string;

  /** Keys with directions; `''` is newest first. */
  readonly sort: string;
}

/**
 * What changed in the list.
 */
export interface IRunsChange {
  /** The list is another one: scroll to its start. */
  readonly reset: boolean;

  /** By how many rows what was visible has moved down. */
  readonly shift: number;
}

/**
 * A long list of runs, of which only the pages near the visible part are here.
 */
export class RunsModel implements IDisposable {
  /**
   * Create a model.
   *
   * @param load - Asks for a part of the list
   */
  constructor(private readonly _load: RunsModel.Load) {}

  /** Emitted when rows, counts or errors changed. */
  get changed(): ISignal<this, IRunsChange> {
    return this._changed;
  }

  /** How many runs there are that fulfil the filter. */
  get total(): number {
    return this._total;
  }

  /** Whether the first page of the source has arrived. */
  get isReady(): boolean {
    return this._isReady;
  }

  /** Whether rows of another filter are shown until those of the new one are here. */
  get isStale(): boolean {
    return this._isStale;
  }

  /** Why the condition cannot be understood; null when it can. */
  get whereError(): ApiError | null {
    return this._whereError;
  }

  /** Why the list could not be read; null when it could. */
  get error(): ApiError | null {
    return this._error;
  }

  /** All metric names in the workspace. */
  get metrics(): readonly string[] {
    return this._metrics;
  }

  /** All parameter names in the workspace. */
  get parameters(): readonly string[] {
    return this._parameters;
  }

  /** The filter. */
  get filter(): IRunsFilter {
    return this._filter;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._abort.abort();
    Signal.clearData(this);
  }

  /**
   * List the runs of another workspace.
   *
   * @param source - What tells workspaces apart; null for none
   */
  setSource(source: string | null): void {
    if (source === this._source) {
      return;
    }
    this._source = source;
    this._restart();
    this._clear();
    this._applied = this._filter;
    this._isReady = false;
    this._metrics = [];
    this._parameters = [];
    this._changed.emit({ reset: true, shift: 0 });
    if (source !== null) {
      void this._readFirst();
    }
  }

  /**
   * List other runs of the workspace, or in another order.
   */
  setFilter(filter: Partial<IRunsFilter>): void {
    const next = { ...this._filter, ...filter };
    if (
      next.search === this._filter.search &&
      next.where === this._filter.where &&
      next.sort === this._filter.sort
    ) {
      return;
    }
    this._filter = next;
    if (this._source === null) {
      this._applied = next;
      return;
    }
    this._restart();
    this._isStale = true;
    this._changed.emit({ reset: false, shift: 0 });
    void this._readFirst();
  }

  /**
   * A row, if it is here.
   */
  get(index: number): RunSummary | undefined {
    return this._pages.get(Math.floor(index / PAGE_SIZE))?.[index % PAGE_SIZE];
  }

  /**
   * The index of a run, if it is here; else -1.
   */
  indexOf(id: string): number {
    for (const [page, rows] of this._pages) {
      const index = rows.findIndex(run => run.id === id);
      if (index >= 0) {
        return page * PAGE_SIZE + index;
      }
    }
    return -1;
  }

  /**
   * Tell which rows are visible; those that are not here are asked for.
   *
   * @param first - Index of the first row
   * @param end - Index behind the last row
   */
  ensure(first: number, end: number): void {
    this._first = first;
    this._end = end;
    this._pump();
  }

  /**
   * Read the list again, keeping what is visible where it is.
   *
   * #### Notes
   * The rows that are shown stay until those that replace them are all here, so nothing
   * flickers. Calls while it is at work lead to one more round.
   */
  async reload(): Promise<void> {
    if (this._source === null) {
      return;
    }
    if (!this._isReady || this._isStale || this._error) {
      this._restart();
      await this._readFirst();
      return;
    }
    if (this._reloading) {
      this._again = true;
      return;
    }
    this._reloading = true;
    try {
      do {
        this._again = false;
        await this._reloadOnce();
      } while (this._again && !this._isDisposed);
    } finally {
      this._reloading = false;
    }
  }

  private async _reloadOnce(): Promise<void> {
    const turn = this._restart();
    const anchorIndex = this._first;
    const anchor = this.get(anchorIndex);
    try {
      const head = await this._ask(0);
      if (turn !== this._turn) {
        return;
      }
      const grown = Math.max(0, head.total - this._total);
      const pages = new Map([[0, head.items]]);
      const from = Math.floor(anchorIndex / PAGE_SIZE);
      const last = Math.min(this._end + grown, head.total) - 1;
      const missing: number[] = [];
      for (let page = Math.max(1, from); page * PAGE_SIZE <= last; page++) {
        missing.push(page);
      }
      const answers = await Promise.all(missing.map(page => this._ask(page)));
      if (turn !== this._turn) {
        return;
      }
      answers.forEach((answer, i) => pages.set(missing[i], answer.items));
      this._pages = pages;
      this._take(head);
      const moved = anchor ? this.indexOf(anchor.id) : -1;
      this._changed.emit({
        reset: false,
        shift: moved >= 0 ? moved - anchorIndex : 0
      });
      this._pump();
    } catch (reason) {
      this._fail(turn, reason);
    }
  }

  private async _readFirst(): Promise<void> {
    const turn = this._turn;
    try {
      const filter = this._filter;
      const answer = await this._ask(0, filter);
      if (turn !== this._turn) {
        return;
      }
      this._applied = filter;
      this._whereError = null;
      this._pages = new Map([[0, answer.items]]);
      this._first = 0;
      this._end = 0;
      this._take(answer);
      this._changed.emit({ reset: true, shift: 0 });
      this._pump();
    } catch (reason) {
      this._fail(turn, reason);
    }
  }

  /**
   * Ask for the visible pages that are not here; those scrolled past meanwhile are not asked for.
   */
  private _pump(): void {
    if (!this._isReady || this._isStale || this._isDisposed) {
      return;
    }
    const end = Math.min(this._end, this._total);
    for (
      let page = Math.floor(this._first / PAGE_SIZE);
      page * PAGE_SIZE < end;
      page++
    ) {
      const rows = this._pages.get(page);
      if (rows) {
        // Seen most recently.
        this._pages.delete(page);
        this._pages.set(page, rows);
      } else if (
        !this._pending.has(page) &&
        this._pending.size < MAX_REQUESTS
      ) {
        void this._readPage(page);
      }
    }
  }

  private async _readPage(page: number): Promise<void> {
    const turn = this._turn;
    this._pending.add(page);
    try {
      const answer = await this._ask(page);
      if (turn !== this._turn) {
        return;
      }
      this._pending.delete(page);
      if (answer.total !== this._total) {
        // Something was committed since the other pages were read: they no longer fit.
        await this.reload();
        return;
      }
      this._pages.set(page, answer.items);
      while (this._pages.size > MAX_PAGES) {
        this._pages.delete(this._pages.keys().next().value as number);
      }
      this._take(answer);
      this._changed.emit({ reset: false, shift: 0 });
      this._pump();
    } catch (reason) {
      this._fail(turn, reason);
    }
  }

  private _ask(page: number, filter = this._applied): Promise<RunList> {
    return this._load(
      { ...filter, offset: page * PAGE_SIZE, limit: PAGE_SIZE },
      this._abort.signal
    );
  }

  private _take(answer: RunList): void {
    this._total = answer.total;
    this._metrics = answer.metrics;
    this._parameters = answer.parameters;
    this._isReady = true;
    this._isStale = false;
    this._error = null;
  }

  private _fail(turn: number, reason: unknown): void {
    if (turn !== this._turn || this._isDisposed || isAbort(reason)) {
      return;
    }
    const error = asApiError(reason);
    this._pending.clear();
    if (error.code === 'invalid_where') {
      // The rows of the last good condition stay.
      this._whereError = error;
      this._isStale = false;
      this._error = null;
    } else {
      this._error = error;
    }
    this._changed.emit({ reset: false, shift: 0 });
  }

  /**
   * Forget all answers that are still to come.
   */
  private _restart(): number {
    this._abort.abort();
    this._abort = new AbortController();
    this._pending.clear();
    return ++this._turn;
  }

  private _clear(): void {
    this._pages.clear();
    this._total = 0;
    this._first = 0;
    this._end = 0;
    this._isStale = false;
    this._error = null;
    this._whereError = null;
  }

  private _abort = new AbortController();
  private _again = false;
  private _applied: IRunsFilter = { search: '', where: '', sort: '' };
  private _changed = new Signal<this, IRunsChange>(this);
  private _end = 0;
  private _error: ApiError | null = null;
  private _filter: IRunsFilter = { search: '', where: '', sort: '' };
  private _first = 0;
  private _isDisposed = false;
  private _isReady = false;
  private _isStale = false;
  private _metrics: readonly string[] = [];
  private _pages = new Map<number, RunSummary[]>();
  private _parameters: readonly string[] = [];
  private _pending = new Set<number>();
  private _reloading = false;
  private _source: string | null = null;
  private _total = 0;
  private _turn = 0;
  private _whereError: ApiError | null = null;
}

/**
 * A namespace for `RunsModel` types.
 */
export namespace RunsModel {
  /** Asks for a part of the list. */
  export type Load = (
    query: ApiClient.IRunsQuery,
    signal: AbortSignal
  ) => Promise<RunList>;
}
