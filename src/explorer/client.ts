// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import { encodeName } from '../api/client';
import type {
  Abandoned,
  ColumnList,
  Completion,
  Importance,
  LiveList,
  Overlay,
  Points,
  Table
} from '../api/schema';
import { request, requestRaw, toApiError } from '../request';

/** Which runs are meant. */
export interface IRunQuery {
  /** A condition. */
  readonly where: string;

  /** Words that must occur. */
  readonly search: string;
}

/** Which rows of a table are meant. */
export interface ITableQuery extends IRunQuery {
  /** Keys of the columns. */
  readonly columns: readonly string[];

  /** Keys with their directions. */
  readonly sort: string;
}

/**
 * The part of the REST API that the explorer asks, for one workspace.
 *
 * All methods reject with an `ApiError`.
 */
export class ExplorerClient {
  /**
   * Create a client.
   *
   * @param settings - The application's own server settings
   * @param path - A contents path in the workspace
   */
  constructor(
    readonly settings: ServerConnection.ISettings,
    readonly path: string
  ) {}

  /** What runs have. */
  columns(): Promise<ColumnList> {
    return request(this.settings, 'v1/columns', { path: this.path });
  }

  /** A page of rows. */
  table(
    query: ITableQuery,
    offset: number,
    limit: number,
    signal?: AbortSignal
  ): Promise<Table> {
    return request(
      this.settings,
      'v1/table',
      { ...this._table(query), offset, limit },
      { signal }
    );
  }

  /** All rows as CSV. */
  async csv(query: ITableQuery): Promise<Blob> {
    const response = await requestRaw(
      this.settings,
      'v1/table.csv',
      this._table(query)
    );
    if (!response.ok) {
      throw await toApiError(response);
    }
    return response.blob();
  }

  /** Values of many runs by column. */
  points(query: IRunQuery, columns: readonly string[]): Promise<Points> {
    return request(this.settings, 'v1/points', {
      path: this.path,
      where: query.where,
      search: query.search,
      columns: JSON.stringify(columns)
    });
  }

  /** How much each parameter has to do with a metric. */
  importance(query: IRunQuery, metric: string): Promise<Importance> {
    return request(this.settings, 'v1/importance', {
      path: this.path,
      where: query.where,
      search: query.search,
      metric
    });
  }

  /** A metric over its steps for several runs. */
  overlay(
    name: string,
    runs: readonly string[],
    points?: number
  ): Promise<Overlay> {
    return request(this.settings, 'v1/overlay', {
      path: this.path,
      name,
      runs: JSON.stringify(runs),
      points
    });
  }

  /** How a filter may go on. */
  complete(
    where: string,
    position: number,
    signal?: AbortSignal
  ): Promise<Completion> {
    return request(
      this.settings,
      'v1/complete',
      { path: this.path, where, position },
      { signal }
    );
  }

  /** Runs that have begun and are not published. */
  live(): Promise<LiveList> {
    return request(this.settings, 'v1/live', { path: this.path });
  }

  /** Record a run whose process is gone as failed. */
  abandon(run: string): Promise<Abandoned> {
    return request(
      this.settings,
      `v1/live/${encodeName(run)}/abandon`,
      { path: this.path },
      { method: 'POST' }
    );
  }

  private _table(query: ITableQuery): Record<string, string> {
    return {
      path: this.path,
      where: query.where,
      search: query.search,
      sort: query.sort,
      columns: JSON.stringify(query.columns)
    };
  }
}
