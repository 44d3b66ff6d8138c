// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiError } from '../api/client';
import type { FileHistory, FileVersion } from '../api/schema';
import { asApiError } from '../request';
import type { HistoryClient } from './client';

/** How many versions are asked for at once. */
const PAGE = 50;

/**
 * The versions of one file, as far as they have been read.
 */
export class HistoryModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the versions.
   */
  constructor(options: HistoryModel.IOptions) {
    super();
    this._client = options.client;
    this.workspace = options.workspace;
    this.file = options.file;
    this.contentsPath = options.contentsPath;
  }

  /** Contents path of the workspace. */
  readonly workspace: string;

  /** The file's path in the workspace. */
  readonly file: string;

  /** The file's contents path. */
  readonly contentsPath: string;

  /** What is known; null before the first answer. */
  get history(): FileHistory | null {
    return this._history;
  }

  /** The versions that were read, newest first. */
  get versions(): readonly FileVersion[] {
    return this._history?.items ?? [];
  }

  /** Why they could not be read. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether an answer is waited for. */
  get isLoading(): boolean {
    return this._isLoading;
  }

  /** Whether there are versions that were not read. */
  get hasMore(): boolean {
    return this.versions.length < (this._history?.total ?? 0);
  }

  /**
   * Read the newest versions anew, as many as are shown.
   */
  load(): Promise<void> {
    return this._read(0, Math.max(PAGE, this.versions.length));
  }

  /**
   * Read the versions that come next.
   */
  more(): Promise<void> {
    return this._read(this.versions.length, PAGE);
  }

  private async _read(offset: number, limit: number): Promise<void> {
    const request = ++this._request;
    this._isLoading = true;
    this.stateChanged.emit();
    try {
      const page = await this._client.versions(this.workspace, this.file, {
        offset,
        limit: Math.min(limit, 1000)
      });
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._history = {
        ...page,
        items: [...this.versions.slice(0, offset), ...page.items]
      };
      this._error = null;
    } catch (reason) {
      if (this.isDisposed || request !== this._request) {
        return;
      }
      this._error = asApiError(reason);
    }
    this._isLoading = false;
    this.stateChanged.emit();
  }

  private _client: Pick<HistoryClient, 'versions'>;
  private _history: FileHistory | null = null;
  private _error: ApiError | null = null;
  private _isLoading = false;
  private _request = 0;
}

/**
 * A namespace for `HistoryModel` types.
 */
export namespace HistoryModel {
  /** What a model needs. */
  export interface IOptions {
    /** Asks the server. */
    client: Pick<HistoryClient, 'versions'>;

    /** Contents path of the workspace. */
    workspace: string;

    /** The file's path in the workspace. */
    file: string;

    /** The file's contents path. */
    contentsPath: string;
  }
}
