// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Table } from '../api/schema';
import { isAbort } from '../request';
import type { Scalar } from '../run/format';

/** How many rows a page has. */
const PAGE = 200;

/** How many pages are asked for at a time. */
const IN_FLIGHT = 3;

/** How many pages are kept; those that were not looked at for longest go first. */
const KEPT = 60;

/** How long rows must be looked at before they are asked for while others are on their way, in ms. */
const PAUSE = 40;

/** A row of the table. */
export interface IRow {
  /** The run's id. */
  readonly id: string;

  /** Its values by the columns' keys. */
  readonly values: Readonly<Record<string, Scalar>>;
}

interface IPage {
  readonly rows: readonly IRow[];
  readonly round: number;
}

/**
 * Rows of a long table, asked for page by page as they are looked at.
 *
 * #### Notes
 * What was read stays until what takes its place has come, so that nothing blinks when the
 * rows are asked for anew.
 */
export class PageCache {
  /**
   * Create a cache.
   *
   * @param options - Where pages come from and who is told
   */
  constructor(private readonly _options: PageCache.IOptions) {}

  /** How many rows there are; -1 while nobody knows. */
  get total(): number {
    return this._total;
  }

  /** Whether pages are on their way. */
  get isBusy(): boolean {
    return this._asked.size > 0;
  }

  /** A row; null while it has not been read. */
  row(index: number): IRow | null {
    const number = Math.floor(index / PAGE);
    return this._pages.get(number)?.rows[index - number * PAGE] ?? null;
  }

  /** Where a run stands among the rows that have been read; -1 when it is not among them. */
  find(id: string): number {
    for (const [number, page] of this._pages) {
      const index = page.rows.findIndex(row => row.id === id);
      if (index >= 0) {
        return number * PAGE + index;
      }
    }
    return -1;
  }

  /**
   * Say which rows are looked at; pages that are on their way and not among them are dropped.
   */
  want(first: number, last: number): void {
    const from = Math.max(0, Math.floor(first / PAGE));
    const to = Math.max(from, Math.floor(last / PAGE));
    this._wanted = { from, to };
    for (const [number, { abort }] of this._asked) {
      const isNeeded =
        (number >= from - 1 && number <= to + 1) || this._held.has(number);
      if (!isNeeded) {
        abort.abort();
        this._asked.delete(number);
      }
    }
    for (let number = from; number <= to; number++) {
      const page = this._pages.get(number);
      if (page) {
        // The last of a map is the last to go.
        this._pages.delete(number);
        this._pages.set(number, page);
      }
    }
    if (this._asked.size === 0) {
      this._pump();
    } else if (this._timer === null) {
      this._timer = setTimeout(() => {
        this._timer = null;
        this._pump();
      }, PAUSE);
    }
  }

  /**
   * Have some rows read; resolves when they are there, or when that failed.
   */
  async ensure(first: number, last: number): Promise<void> {
    const from = Math.floor(first / PAGE);
    const to = Math.floor(last / PAGE);
    for (let number = from; number <= to; number++) {
      if (!this._pages.has(number)) {
        this._held.add(number);
        try {
          await (this._asked.get(number)?.done ?? this._read(number));
        } finally {
          this._held.delete(number);
        }
      }
    }
  }

  /**
   * Read anew what is looked at: the query changed, or the runs.
   */
  refresh(): void {
    this._round += 1;
    for (const { abort } of this._asked.values()) {
      abort.abort();
    }
    this._asked.clear();
    this._failed.clear();
    this._pump();
  }

  /** Forget everything and be told nothing more. */
  dispose(): void {
    this._isDisposed = true;
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    for (const { abort } of this._asked.values()) {
      abort.abort();
    }
    this._asked.clear();
    this._pages.clear();
  }

  /** Ask for the pages that are looked at and not there. */
  private _pump(): void {
    const { from, to } = this._wanted;
    for (let number = from; number <= to; number++) {
      if (this._asked.size >= IN_FLIGHT) {
        return;
      }
      const beyond = this._total >= 0 && number * PAGE >= this._total;
      const isThere = this._pages.get(number)?.round === this._round;
      const isFresh = this._freshRound === this._round;
      if (
        !isThere &&
        !(beyond && isFresh && number > 0) &&
        !this._asked.has(number) &&
        !this._failed.has(number)
      ) {
        void this._read(number);
      }
    }
  }

  private _read(number: number): Promise<void> {
    const abort = new AbortController();
    const done = this._readPage(number, abort);
    this._asked.set(number, { abort, done });
    return done;
  }

  private async _readPage(
    number: number,
    abort: AbortController
  ): Promise<void> {
    const round = this._round;
    const isStale = (): boolean =>
      this._isDisposed || round !== this._round || abort.signal.aborted;
    try {
      const table = await this._options.read(number * PAGE, PAGE, abort.signal);
      if (!isStale()) {
        this._asked.delete(number);
        this._take(number, table, round);
      }
    } catch (reason) {
      if (!isStale() && !isAbort(reason)) {
        this._asked.delete(number);
        this._failed.add(number);
        this._options.onError(reason);
      }
    }
    if (!this._isDisposed && round === this._round) {
      this._pump();
    }
  }

  private _take(number: number, table: Table, round: number): void {
    const rows = table.runs.map((id, index): IRow => {
      const values: Record<string, Scalar> = {};
      table.columns.forEach((key, column) => {
        values[key] = table.rows[index][column];
      });
      return { id, values };
    });
    const isFirst = this._freshRound !== round;
    if (isFirst) {
      // What was read before is not what would be read now; what is on the screen follows.
      this._freshRound = round;
      for (const each of [...this._pages.keys()]) {
        if (each < this._wanted.from || each > this._wanted.to) {
          this._pages.delete(each);
        }
      }
    }
    this._pages.delete(number);
    this._pages.set(number, { rows, round });
    for (const each of this._pages.keys()) {
      if (this._pages.size <= KEPT) {
        break;
      }
      this._pages.delete(each);
    }
    this._total = table.total;
    this._options.onPage(table, number * PAGE);
    if (!isFirst && table.head !== this._head) {
      // Runs came in between two pages, which do not fit together.
      this.refresh();
    }
    this._head = table.head;
  }

  private _asked = new Map<
    number,
    { abort: AbortController; done: Promise<void> }
  >();
  private _failed = new Set<number>();
  private _freshRound = -1;
  private _head = 0;
  private _held = new Set<number>();
  private _isDisposed = false;
  private _pages = new Map<number, IPage>();
  private _round = 0;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _total = -1;
  private _wanted = { from: 0, to: 0 };
}

/**
 * A namespace for `PageCache` types.
 */
export namespace PageCache {
  /** Where pages come from and who is told. */
  export interface IOptions {
    /** Ask for a page. */
    read: (
      offset: number,
      limit: number,
      signal: AbortSignal
    ) => Promise<Table>;

    /** Called with a page that has come, and the index of its first row. */
    onPage: (table: Table, first: number) => void;

    /** Called when a page could not be read; it is asked for again after a refresh. */
    onError: (reason: unknown) => void;
  }
}
