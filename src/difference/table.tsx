// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { TableComparison, TableRow } from '../api/schema';
import { Empty } from '../run/components';
import { NOTHING, formatValue } from '../run/format';

/**
 * How two tables differ, row by row.
 */
export function TableView(props: {
  table: TableComparison;
  trans: TranslationBundle;
}): JSX.Element {
  const { table, trans } = props;
  const columns = React.useMemo(() => columnsOf(table), [table]);
  const added = new Set(table.added_columns);
  const removed = new Set(table.removed_columns);
  return (
    <div className="jp-DotscienceTableDifference">
      <p>
        {trans.__(
          'Rows: %1 added, %2 removed, %3 modified; %4 before, %5 after.',
          table.added,
          table.removed,
          table.modified,
          table.old_rows,
          table.new_rows
        )}{' '}
        {table.key
          ? trans.__('Rows belong together by the column %1.', table.key)
          : trans.__('Rows belong together by their content.')}
      </p>
      {table.sampled && (
        <p className="jp-DotscienceDifference-note">
          {trans.__(
            'The tables are large: only their first rows were compared.'
          )}
        </p>
      )}
      {added.size > 0 && (
        <p>{trans.__('+ Columns added: %1', table.added_columns.join(', '))}</p>
      )}
      {removed.size > 0 && (
        <p>
          {trans.__('- Columns removed: %1', table.removed_columns.join(', '))}
        </p>
      )}
      {table.rows.length === 0 ? (
        <Empty>{trans.__('No row differs.')}</Empty>
      ) : (
        <div
          className="jp-DotscienceTable-scroll"
          tabIndex={0}
          role="group"
          aria-label={trans.__('Rows that differ')}
        >
          <table className="jp-DotscienceTable jp-DotscienceRowTable">
            <caption className="jp-Dotscience-visuallyHidden">
              {trans.__('Rows that differ')}
            </caption>
            <thead>
              <tr>
                <th scope="col">{trans.__('Change')}</th>
                <th scope="col">{trans.__('Row')}</th>
                {columns.map(name => (
                  <th key={name} scope="col">
                    {added.has(name)
                      ? trans.__('+ %1', name)
                      : removed.has(name)
                        ? trans.__('- %1', name)
                        : name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {table.rows.map((row, index) => (
                <Row key={index} row={row} columns={columns} trans={trans} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {table.rows.length < table.added + table.removed + table.modified && (
        <p className="jp-DotscienceDifference-note">
          {trans.__(
            'The first %1 rows that differ are shown.',
            table.rows.length
          )}
        </p>
      )}
    </div>
  );
}

/**
 * The columns that hold a value of a row that differs, in the order of the tables.
 */
function columnsOf(table: TableComparison): string[] {
  const used = new Set<string>();
  for (const row of table.rows) {
    for (const { column } of row.values) {
      used.add(column);
    }
  }
  const known = [
    ...new Set([
      ...table.columns,
      ...table.removed_columns,
      ...table.added_columns
    ])
  ];
  return known.filter(name => used.has(name));
}

function Row(props: {
  row: TableRow;
  columns: string[];
  trans: TranslationBundle;
}): JSX.Element {
  const { row, columns, trans } = props;
  const values = new Map(row.values.map(value => [value.column, value]));
  return (
    <tr className={`jp-mod-${row.change}`} data-change="" tabIndex={-1}>
      <th scope="row">{changeName(row.change, trans)}</th>
      <td className="jp-mod-numeric">{rowNumber(row)}</td>
      {columns.map(name => {
        const value = values.get(name);
        if (!value) {
          return <td key={name} />;
        }
        return (
          <td key={name}>
            {row.change !== 'added' && <del>{formatValue(value.old)}</del>}{' '}
            {row.change !== 'removed' && <ins>{formatValue(value.new)}</ins>}
          </td>
        );
      })}
    </tr>
  );
}

function rowNumber(row: TableRow): string {
  const { old_row: old, new_row: newer } = row;
  if (old === null || newer === null || old === newer) {
    return String(newer ?? old ?? NOTHING);
  }
  return `${old} → ${newer}`;
}

function changeName(
  change: TableRow['change'],
  trans: TranslationBundle
): string {
  switch (change) {
    case 'added':
      return trans.__('+ added');
    case 'removed':
      return trans.__('- removed');
    case 'modified':
      return trans.__('~ modified');
  }
}
