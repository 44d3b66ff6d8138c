// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiError } from '../api/client';
import type { ComparedFile, Comparison, FileComparison } from '../api/schema';
import { asApiError, isAbort } from '../request';
import type { DifferenceClient } from './client';
import { CONTEXT, MOST_CONTEXT } from './fold';
import type { DifferenceOptions, IDifferenceOptions } from './options';
import type { FileReader } from './reader';
import { NOW } from './reader';
import { flatRows, treeRows } from './tree';

/** How many changed files are asked for at first, for a quick first picture. */
const FIRST_PAGE = 1000;

/** How many are asked for at once after that. */
const PAGE = 10_000;

/**
 * What a tab of differences shows: two moments, the files that differ, and one of them inside.
 */
export class DifferenceModel extends VDomModel {
  /**
   * Create a model; {@link load} reads how the two moments differ.
   */
  constructor(options: DifferenceModel.IOptions) {
    super();
    this._client = options.client;
    this._old = options.old;
    this._newer = options.newer;
    this._path = options.file ?? null;
    this._options = options.options;
    this._shown = options.options.value;
    this.reader = options.reader;
    options.options.changed.connect(this._onOptions, this);
  }

  /** Reads whole files. */
  readonly reader: FileReader;

  /** Asks for parts of what differs. */
  get client(): DifferenceClient {
    return this._client;
  }

  /** The older moment, as the server understands it. */
  get old(): string {
    return this._old;
  }

  /** The newer moment, as the server understands it. */
  get newer(): string {
    return this._newer;
  }

  /**
   * Whether it shows these two moments of this workspace.
   *
   * @param workspace - Contents path of its root
   */
  isOf(workspace: string, old: string, newer: string): boolean {
    return (
      workspace === this._client.workspace &&
      old === this._old &&
      newer === this._newer
    );
  }

  /** How differences are shown. */
  get options(): IDifferenceOptions {
    return this._options.value;
  }

  /** Which values and files differ; the files as far as they have been read. */
  get comparison(): Comparison | null {
    return this._comparison;
  }

  /** Why that could not be read. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether the two moments are being compared, and nobody gave that up. */
  get isListing(): boolean {
    return this._listing !== null && !this._listing.signal.aborted;
  }

  /** Whether one of the moments is the live folder. */
  get isLive(): boolean {
    return this._old === NOW || this._newer === NOW;
  }

  /** The path of the chosen file, in the newer moment. */
  get path(): string | null {
    return this._path;
  }

  /** The chosen file, where it is among those that differ. */
  get file(): ComparedFile | null {
    return this.content?.file.path === this._path && this.content
      ? this.content.file
      : this._listed(this._path);
  }

  /** How the chosen file differs, inside. */
  get content(): FileComparison | null {
    return this._content;
  }

  /** Why that could not be read. */
  get contentError(): ApiError | null {
    return this._contentError;
  }

  /** Whether the chosen file is being compared. */
  get isComparing(): boolean {
    return this._request !== null;
  }

  /** Whether that was given up by the user. */
  get wasCancelled(): boolean {
    return this._cancelled;
  }

  /** The places of the chosen file that were unfolded. */
  get opened(): ReadonlySet<string> {
    return this._opened;
  }

  /** How many unchanged lines the content has beside what differs. */
  get context(): number {
    return this._context;
  }

  /**
   * Dispose of the model; what is under way is given up.
   */
  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.changed.disconnect(this._onOptions, this);
    this._listing?.abort();
    this._request?.abort();
    super.dispose();
  }

  /**
   * Read how the two moments differ.
   *
   * @param quiet - Whether what is shown stays until the answer is there
   */
  async load(quiet = false): Promise<void> {
    this._listing?.abort();
    const listing = new AbortController();
    this._listing = listing;
    if (!quiet) {
      this._comparison = null;
    }
    this._error = null;
    this.stateChanged.emit();
    try {
      const first = await this._page(0, FIRST_PAGE, listing.signal);
      if (listing.signal.aborted) {
        return;
      }
      if (quiet && first.total > first.files.length) {
        await this._rest(first, listing.signal);
      } else {
        this._setComparison(first);
        void this._rest(first, listing.signal).catch(reason =>
          this._onListError(reason, listing.signal)
        );
      }
    } catch (reason) {
      this._onListError(reason, listing.signal);
      return;
    }
    await this._afterListing(quiet);
  }

  /**
   * Look again; nothing that is shown goes away meanwhile.
   */
  async refresh(): Promise<void> {
    // what was given up is compared again only when the user asks for it
    if (this._comparison || this.isListing || this._error) {
      await this.load(true);
    }
  }

  /**
   * Take other moments.
   */
  async setSides(old: string, newer: string): Promise<void> {
    this._old = old;
    this._newer = newer;
    this._forget();
    await this.load();
  }

  /**
   * Put the newer moment first.
   */
  async swap(): Promise<void> {
    // a renamed file has its other name then; the list tells where it was
    this._path = this._listed(this._path)?.old_path ?? this._path;
    await this.setSides(this._newer, this._old);
  }

  /**
   * Show how a file differs, inside.
   *
   * @param path - Its path in the newer moment
   */
  async choose(path: string): Promise<void> {
    if (path === this._path && (this._content || this._request)) {
      return;
    }
    this._path = path;
    this._forget();
    await this.compare();
  }

  /**
   * Compare the chosen file (again).
   */
  async compare(): Promise<void> {
    const path = this._path;
    if (path === null) {
      return;
    }
    this._request?.abort();
    const request = new AbortController();
    this._request = request;
    this._cancelled = false;
    this._contentError = null;
    const { outputs, metadata, counts } = this._options.value;
    const context = this._opened.size > 0 ? MOST_CONTEXT : CONTEXT;
    this.stateChanged.emit();
    try {
      const content = await this._client.compareFile(
        this._old,
        this._newer,
        path,
        this._listed(path)?.old_path ?? null,
        { outputs, metadata, counts, context },
        request.signal
      );
      if (this.isDisposed || this._request !== request) {
        return;
      }
      this._content = content;
      this._context = context;
    } catch (reason) {
      if (this.isDisposed || this._request !== request || isAbort(reason)) {
        return;
      }
      this._contentError = asApiError(reason);
    }
    this._request = null;
    this.stateChanged.emit();
  }

  /**
   * Give up comparing the chosen file; what is shown of it stays.
   */
  cancel(): void {
    if (this._request) {
      this._request.abort();
      this._request = null;
      this._cancelled = true;
      this.stateChanged.emit();
    }
  }

  /**
   * Give up comparing the two moments.
   */
  cancelListing(): void {
    this._listing?.abort();
    this.stateChanged.emit();
  }

  /**
   * Unfold a place of the chosen file, with more of what is around it if need be.
   */
  async unfold(place: string): Promise<void> {
    this._opened = new Set([...this._opened, place]);
    if (this._context < MOST_CONTEXT) {
      await this.compare();
    } else {
      this.stateChanged.emit();
    }
  }

  /**
   * Show a run of unchanged cells.
   */
  openCells(place: string): void {
    this._opened = new Set([...this._opened, place]);
    this.stateChanged.emit();
  }

  /**
   * The sources of the cells of the chosen notebook in the newer moment; read once.
   */
  sources(): Promise<string[]> {
    const content = this._content;
    if (!content) {
      return Promise.resolve([]);
    }
    if (this._sources?.of !== content) {
      const cells = this.reader.sources(content.new.ref, content.file.path);
      cells.catch(() => {
        // asked again next time
        this._sources = null;
      });
      this._sources = { of: content, cells };
    }
    return this._sources.cells;
  }

  private _listed(path: string | null): ComparedFile | null {
    return this._comparison?.files.find(file => file.path === path) ?? null;
  }

  private _page(
    offset: number,
    limit: number,
    signal: AbortSignal
  ): Promise<Comparison> {
    const page = { offset, limit };
    return this._client.compare(this._old, this._newer, page, signal);
  }

  private async _rest(first: Comparison, signal: AbortSignal): Promise<void> {
    let all = first;
    while (all.files.length < all.total) {
      const next = await this._page(all.files.length, PAGE, signal);
      if (this.isDisposed || signal.aborted || next.files.length === 0) {
        break;
      }
      all = { ...all, files: [...all.files, ...next.files], total: next.total };
    }
    if (!this.isDisposed && !signal.aborted) {
      this._setComparison(all);
    }
  }

  private _setComparison(comparison: Comparison): void {
    if (!this.isDisposed && comparison !== this._comparison) {
      this._comparison = comparison;
      this.stateChanged.emit();
    }
  }

  private _onListError(reason: unknown, signal: AbortSignal): void {
    if (!this.isDisposed && !signal.aborted && !isAbort(reason)) {
      this._error = asApiError(reason);
      this.stateChanged.emit();
    }
  }

  private async _afterListing(quiet: boolean): Promise<void> {
    const comparison = this._comparison;
    if (this.isDisposed || !comparison) {
      return;
    }
    const known = this._listed(this._path);
    if (quiet && !known && this._content) {
      // it no longer differs, or there is no file any more
      this._path = null;
      this._forget();
    }
    const folder = `${this._path}/`;
    if (this._path !== null && !known) {
      // a folder stands for the first file below it
      this._path =
        comparison.files.find(({ path }) => path.startsWith(folder))?.path ??
        this._path;
    }
    if (this._path === null && comparison.files.length > 0) {
      const rows = this._options.value.tree
        ? treeRows(comparison.files, new Set())
        : flatRows(comparison.files);
      this._path = rows.find(row => row.file !== null)?.path ?? null;
      this._forget();
    }
    await this.compare();
  }

  private _forget(): void {
    this._request?.abort();
    this._request = null;
    this._content = null;
    this._contentError = null;
    this._cancelled = false;
    this._opened = new Set();
    this._context = CONTEXT;
    this.stateChanged.emit();
  }

  private _onOptions(): void {
    const before = this._shown;
    const now = this._options.value;
    this._shown = now;
    const isNotebook = this.file?.type === 'notebook';
    if (
      isNotebook &&
      (before.outputs !== now.outputs ||
        before.metadata !== now.metadata ||
        before.counts !== now.counts)
    ) {
      void this.compare();
    }
    this.stateChanged.emit();
  }

  private _cancelled = false;
  private _client: DifferenceClient;
  private _comparison: Comparison | null = null;
  private _content: FileComparison | null = null;
  private _contentError: ApiError | null = null;
  private _context = CONTEXT;
  private _error: ApiError | null = null;
  private _listing: AbortController | null = null;
  private _newer: string;
  private _old: string;
  private _opened: ReadonlySet<string> = new Set<string>();
  private _options: DifferenceOptions;
  private _path: string | null;
  private _request: AbortController | null = null;
  private _shown: IDifferenceOptions;
  private _sources: { of: FileComparison; cells: Promise<string[]> } | null =
    null;
}

/**
 * A namespace for `DifferenceModel` types.
 */
export namespace DifferenceModel {
  /**
   * What a model needs.
   */
  export interface IOptions {
    /** Asks the server. */
    client: DifferenceClient;

    /** Reads whole files. */
    reader: FileReader;

    /** How differences are shown. */
    options: DifferenceOptions;

    /** The older moment: a commit, `run:ID`, or `now`. */
    old: string;

    /** The newer moment. */
    newer: string;

    /** The path of the file that is shown first. */
    file?: string;
  }
}
