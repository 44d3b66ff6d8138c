// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiClient, ApiError } from '../api/client';
import type { Commit } from '../api/schema';
import { asApiError } from '../request';

/** How many commits are asked for at a time. */
export const PAGE = 100;

/** How many pages are kept; the least recently read go first. */
const MAX_PAGES = 12;

/**
 * The commits of a workspace, of which only the pages near the visible part are here.
 */
export class CommitsModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the newest commits.
   *
   * @param _client - Asks the server
   * @param workspace - Contents path of the workspace
   */
  constructor(
    private readonly _client: Pick<ApiClient, 'commits' | 'commitDetail'>,
    readonly workspace: string
  ) {
    super();
  }

  /** How many commits there are, or were found. */
  get total(): number {
    return this._total;
  }

  /** Whether the first answer has arrived. */
  get isReady(): boolean {
    return this._isReady;
  }

  /** Why the commits could not be read. */
  get error(): ApiError | null {
    return this._error;
  }

  /** The words that are searched for. */
  get search(): string {
    return this._search;
  }

  /** The chosen commit. */
  get selected(): Commit | null {
    return this._selected;
  }

  /** Place of the chosen commit in the list; -1 where that is not known. */
  get selectedIndex(): number {
    return this._index;
  }

  /**
   * By how many rows the list has moved down since this was last asked; null when it is another list.
   */
  takeShift(): number | null {
    const shift = this._shift;
    this._shift = 0;
    return shift;
  }

  /**
   * The commit at a place of the list; undefined while it is not here.
   */
  get(index: number): Commit | undefined {
    return this._pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /**
   * Read the commits of some places, unless they are here.
   */
  ensure(first: number, end: number): void {
    if (!this._isReady || this._error) {
      return;
    }
    const last = Math.floor((Math.min(end, this._total) - 1) / PAGE);
    for (let page = Math.floor(first / PAGE); page <= last; page++) {
      if (!this._pages.has(page) && !this._asked.has(page)) {
        void this._read(page);
      }
    }
  }

  /**
   * Read the newest commits anew.
   */
  load(): Promise<void> {
    this._asked.clear();
    this._request++;
    return this._read(0);
  }

  /**
   * List those commits that have some words in message or author, or whose id begins with them.
   */
  async find(search: string): Promise<void> {
    const wanted = search.trim();
    if (wanted === this._search) {
      return;
    }
    this._search = wanted;
    this._isOther = true;
    await this.load();
  }

  /**
   * Choose the commit at a place of the list.
   */
  select(index: number): void {
    const commit = this.get(index);
    if (commit) {
      this._index = index;
      this._selected = commit;
      this.stateChanged.emit();
    }
  }

  /**
   * Choose a commit by its id, wherever it is in the list.
   */
  async choose(id: string): Promise<void> {
    for (const [page, commits] of this._pages) {
      const place = commits.findIndex(commit => commit.id === id);
      if (place >= 0) {
        this.select(page * PAGE + place);
        return;
      }
    }
    try {
      const commit = await this._client.commitDetail(this.workspace, id);
      if (this.isDisposed) {
        return;
      }
      this._selected = commit;
      this._index = -1;
      this._error = null;
    } catch (reason) {
      if (this.isDisposed) {
        return;
      }
      this._error = asApiError(reason);
    }
    this.stateChanged.emit();
  }

  private async _read(page: number): Promise<void> {
    const request = this._request;
    this._asked.add(page);
    try {
      const { items, total } = await this._client.commits(this.workspace, {
        offset: page * PAGE,
        limit: PAGE,
        search: this._search
      });
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._take(page, items, total);
      this._error = null;
    } catch (reason) {
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._error = asApiError(reason);
    }
    this._asked.delete(page);
    this._isReady = true;
    this.stateChanged.emit();
  }

  private _take(page: number, items: Commit[], total: number): void {
    const more = total - this._total;
    if (this._isOther || more < 0) {
      this._pages.clear();
      this._shift = null;
      this._index = -1;
      this._isOther = false;
    } else if (more > 0 && this._isReady) {
      // new ones came in above; what was here is at other places now
      this._pages.clear();
      this._shift = this._shift === null ? null : this._shift + more;
      this._index = this._index < 0 ? -1 : this._index + more;
    }
    this._total = total;
    this._pages.delete(page);
    this._pages.set(page, items);
    for (const key of this._pages.keys()) {
      if (this._pages.size <= MAX_PAGES) {
        break;
      }
      this._pages.delete(key);
    }
    if (this._selected === null && page === 0 && items.length > 0) {
      this._selected = items[0];
      this._index = 0;
    } else if (this._index < 0) {
      const place = items.findIndex(({ id }) => id === this._selected?.id);
      this._index = place < 0 ? -1 : page * PAGE + place;
    }
  }

  private _asked = new Set<number>();
  private _error: ApiError | null = null;
  private _index = -1;
  private _isOther = false;
  private _isReady = false;
  private _pages = new Map<number, Commit[]>();
  private _request = 0;
  private _search = '';
  private _selected: Commit | null = null;
  private _shift: number | null = 0;
  private _total = 0;
}
