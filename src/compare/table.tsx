// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IColumn } from '../run/components';
import { DataTable, Empty } from '../run/components';
import type { Scalar } from '../run/format';
import { NOTHING, formatNumber, formatValue } from '../run/format';

/**
 * What a row of two values must have.
 */
export interface IPair {
  /**
   * What is compared.
   */
  name: string;

  /**
   * The value of the first run.
   */
  a: Scalar | undefined;

  /**
   * The value of the second run.
   */
  b: Scalar | undefined;

  /**
   * Whether they are the same; null where that is not known.
   */
  same: boolean | null;
}

/**
 * Values of two runs side by side.
 */
export function PairTable<T extends IPair>(props: {
  caption: string;
  rows: T[];
  onlyDifferences: boolean;
  label?: (row: T) => React.ReactNode;
  show?: (value: Scalar | undefined, row: T) => React.ReactNode;
  delta?: (row: T) => string;
  deltaLabel?: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { rows, onlyDifferences, label, delta, trans } = props;
  const show = props.show ?? (value => formatValue(value, true));
  const shown = onlyDifferences ? rows.filter(row => !row.same) : rows;
  if (shown.length === 0) {
    return (
      <Empty>
        {rows.length === 0
          ? trans.__('Neither run has any.')
          : trans.__('No differences.')}
      </Empty>
    );
  }
  const columns: IColumn<T>[] = [
    {
      id: 'name',
      label: trans.__('Name'),
      render: row => (label ? label(row) : row.name),
      sortBy: row => row.name
    },
    {
      id: 'a',
      label: trans.__('A'),
      render: row => (
        <span className="jp-DotscienceValue">{show(row.a, row)}</span>
      ),
      sortBy: row => row.a
    },
    {
      id: 'b',
      label: trans.__('B'),
      render: row => (
        <span className="jp-DotscienceValue">{show(row.b, row)}</span>
      ),
      sortBy: row => row.b
    }
  ];
  if (delta) {
    columns.push({
      id: 'delta',
      label: props.deltaLabel ?? trans.__('Difference'),
      render: delta
    });
  }
  return (
    <DataTable
      caption={props.caption}
      rows={shown}
      rowKey={row => row.name}
      rowClass={row => (row.same ? undefined : 'jp-mod-different')}
      columns={columns}
      trans={trans}
    />
  );
}

/**
 * Format a difference: with its sign, and as a part of the first value.
 */
export function formatDelta(
  delta: number | null,
  relative: number | null
): string {
  if (delta === null) {
    return NOTHING;
  }
  const absolute = signed(delta, formatNumber(Math.abs(delta)));
  if (relative === null || delta === 0) {
    return absolute;
  }
  const percent = Math.abs(relative) * 100;
  const digits = percent >= 100 ? 0 : percent >= 1 ? 1 : 2;
  return `${absolute} (${signed(relative, `${percent.toFixed(digits)} %`)})`;
}

function signed(value: number, text: string): string {
  // a minus sign, as wide as the plus sign
  return value > 0 ? `+${text}` : value < 0 ? `−${text}` : text;
}
