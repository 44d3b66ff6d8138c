// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ServerConnection } from '@jupyterlab/services';

import type { Graph, LineageComparison } from '../api/schema';
import { request, requestRaw, toApiError } from '../request';

/**
 * Which way a lineage is followed: to what something was made from, to what came of it, or both.
 */
export type Direction = 'up' | 'down' | 'both';

/**
 * The forms in which a graph can be taken elsewhere.
 */
export type ExportFormat = 'prov' | 'openlineage' | 'dot';

/**
 * How many nodes are asked for at most.
 */
export const LIMIT = 2000;

/**
 * What is asked for: a start (empty: the whole workspace), a direction and a depth (0: any).
 */
export interface IGraphQuery {
  /** `run:ID`, `file:PATH`, `file:PATH@COMMIT`, `model:NAME`, `digest:HEX` or nothing. */
  start: string;

  /** Which way from there. */
  direction: Direction;

  /** How many runs away at most; 0 for any. */
  depth: number;

  /** Whether it is followed into the other workspaces that the server finds. */
  across: boolean;
}

/**
 * The graph of runs and file versions of a workspace.
 */
export class ProvenanceClient {
  /**
   * Create a client.
   *
   * @param settings - The application's own settings
   * @param workspace - A contents path in the workspace
   */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    readonly workspace: string
  ) {}

  /** A part of the graph. */
  graph(query: IGraphQuery): Promise<Graph> {
    return request(this.settings, 'v1/provenance', {
      path: this.workspace,
      ...query,
      across: isAcross(query) || undefined,
      limit: LIMIT
    });
  }

  /** The same in a form that other programs read. */
  async export(query: IGraphQuery, format: ExportFormat): Promise<Blob> {
    const response = await requestRaw(this.settings, 'v1/provenance/export', {
      path: this.workspace,
      start: query.start,
      direction: query.direction,
      across: isAcross(query) || undefined,
      format
    });
    if (!response.ok) {
      throw await toApiError(response);
    }
    return response.blob();
  }

  /** What changed between the lineages of two runs, files or models. */
  compare(a: string, b: string): Promise<LineageComparison> {
    return request(this.settings, 'v1/provenance/compare', {
      path: this.workspace,
      a,
      b
    });
  }
}

/**
 * A whole workspace is shown by itself.
 */
function isAcross({ across, start }: IGraphQuery): boolean {
  return across && start !== '';
}
