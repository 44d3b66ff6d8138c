// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ApiClient } from '../api/client';
import type { RunDetail } from '../api/schema';
import { formatValue } from '../run/format';
import type { ICellRun } from './cells';

/** How many of the newest runs of a notebook are looked at. */
const NEWEST = 20;

/**
 * Knows which cells of a notebook made its newest runs, for cells whose outputs were cleared.
 *
 * #### Notes
 * Runs do not change: each is read once.
 */
export class RecordedRuns {
  /**
   * Create an empty memory.
   *
   * @param client - The API
   */
  constructor(private readonly client: ApiClient) {}

  /**
   * The newest run of each cell, by the cells' ids.
   *
   * @param workspace - A contents path in the workspace
   * @param file - The notebook's path in the workspace
   */
  async ofNotebook(
    workspace: string,
    file: string
  ): Promise<Map<string, ICellRun>> {
    const { items } = await this.client.runs(workspace, {
      where: `file = '${file.replace(/'/g, "''")}'`,
      limit: NEWEST
    });
    const newest = new Map<string, ICellRun>();
    for (const { id } of items) {
      let run = this._runs.get(id);
      if (!run) {
        // one after the other: nobody waits for it
        run = read(await this.client.run(workspace, id));
        this._runs.set(id, run);
      }
      if (run.cell !== null && !newest.has(run.cell)) {
        newest.set(run.cell, run.run);
      }
    }
    return newest;
  }

  private _runs = new Map<string, IRead>();
}

interface IRead {
  cell: string | null;
  run: ICellRun;
}

function read(run: RunDetail): IRead {
  const [name] = Object.keys(run.metrics).sort();
  return {
    cell: run.cell?.id ?? null,
    run: {
      id: run.id,
      description: run.description,
      failed: run.status === 'failed',
      metric:
        name === undefined
          ? null
          : { name, text: formatValue(run.metrics[name]) }
    }
  };
}
