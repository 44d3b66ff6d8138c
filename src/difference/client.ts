// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import { request, requestRaw, toApiError } from '../request';
import type { Blob as OutputBlob } from '../api/schema';
import type { Comparison, FileComparison } from '../api/schema';

/**
 * What of notebooks is compared, and how much is shown around what differs.
 */
export interface ICompareQuery {
  /** Whether outputs of cells are compared. */
  outputs: boolean;

  /** Whether metadata is compared. */
  metadata: boolean;

  /** Whether execution counts are compared. */
  counts: boolean;

  /** How many unchanged lines are kept around what differs. */
  context: number;
}

/**
 * Asks the server how two moments differ.
 */
export class DifferenceClient {
  /**
   * Create a client.
   *
   * @param serverSettings - The application's own settings
   * @param workspace - Contents path of the workspace
   */
  constructor(
    readonly serverSettings: ServerConnection.ISettings,
    readonly workspace: string
  ) {}

  /** Which values and files differ: a page of the files. */
  compare(
    old: string,
    newer: string,
    page: { offset: number; limit: number },
    signal?: AbortSignal
  ): Promise<Comparison> {
    return request(
      this.serverSettings,
      'v1/compare',
      { path: this.workspace, old, new: newer, ...page },
      { signal }
    );
  }

  /**
   * How a file differs, inside.
   *
   * @param file - Its path in the newer moment
   * @param oldFile - Its path in the older one, if it was another
   */
  compareFile(
    old: string,
    newer: string,
    file: string,
    oldFile: string | null,
    query: ICompareQuery,
    signal?: AbortSignal
  ): Promise<FileComparison> {
    return request(
      this.serverSettings,
      'v1/compare/file',
      {
        path: this.workspace,
        old,
        new: newer,
        file,
        old_file: oldFile ?? undefined,
        ...query
      },
      { signal }
    );
  }

  /** A large part of an output. */
  async blob(blob: OutputBlob, signal?: AbortSignal): Promise<Blob> {
    const response = await requestRaw(
      this.serverSettings,
      'v1/compare/blob',
      {
        path: this.workspace,
        ref: blob.ref,
        file: blob.path,
        cell: blob.cell,
        output: blob.output,
        mime: blob.mime
      },
      { signal }
    );
    if (!response.ok) {
      throw await toApiError(response);
    }
    // the server says what it is in general terms; what kind of image it is, we know
    return new Blob([await response.arrayBuffer()], { type: blob.mime });
  }
}
