// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Points } from '../../api/schema';
import { DataTable } from '../../run/components';
import { runTitle } from '../../run/format';
import { columnTitle } from '../cells';
import type { ExplorerModel } from '../model';

/** How many rows are shown; the explorer's own table has all of them. */
const ROWS = 200;

/**
 * What a chart of runs shows, as a table.
 */
export function ValuesTable(props: {
  caption: string;
  points: Points;
  columns: readonly string[];
  model: ExplorerModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { caption, points, columns, model, trans } = props;
  const rows = points.runs.slice(0, ROWS).map((run, index) => ({ run, index }));
  return (
    <>
      <DataTable
        caption={caption}
        trans={trans}
        rows={rows}
        rowKey={row => row.run}
        columns={[
          {
            id: 'run',
            label: trans.__('Run'),
            render: ({ run, index }) =>
              runTitle(
                {
                  id: run,
                  description: String(points.columns.description?.[index] ?? '')
                },
                trans
              )
          },
          ...columns.map(key => ({
            id: key,
            label: columnTitle(model.column(key), key, trans),
            numeric: model.column(key)?.type === 'number',
            render: (row: { index: number }) =>
              model.text(key, points.columns[key]?.[row.index] ?? null, trans),
            sortBy: (row: { index: number }) =>
              points.columns[key]?.[row.index] ?? undefined
          }))
        ]}
      />
      {points.runs.length > ROWS && (
        <p className="jp-DotscienceChart-note">
          {trans.__('The first %1 of %2 runs.', ROWS, points.runs.length)}
        </p>
      )}
    </>
  );
}
