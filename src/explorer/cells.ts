// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Column, LiveRun } from '../api/schema';
import { formatDuration, formatNumber, formatValue } from '../run/format';
import type { Cell } from './datamodel';

const times = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'short'
});

/**
 * The name of a column for people; a parameter and a metric may have the same one.
 */
export function columnTitle(
  column: Pick<Column, 'kind' | 'name' | 'key'> | undefined,
  key: string,
  trans: TranslationBundle
): string {
  if (column?.kind !== 'field') {
    return column?.name ?? key;
  }
  switch (column.key) {
    case 'description':
      return trans.__('Description');
    case 'started':
      return trans.__('Started');
    case 'ended':
      return trans.__('Ended');
    case 'created':
      return trans.__('Recorded');
    case 'seconds':
      return trans.__('Duration');
    case 'status':
      return trans.__('Status');
    case 'author':
      return trans.__('Author');
    case 'file':
      return trans.__('File');
    case 'error':
      return trans.__('Error');
    case 'authority':
      return trans.__('Authority');
    case 'commit':
      return trans.__('Commit');
    case 'id':
      return trans.__('Id');
    default:
      return column.name;
  }
}

/**
 * What kind of thing a column is, for people.
 */
export function kindTitle(
  kind: Column['kind'],
  trans: TranslationBundle
): string {
  switch (kind) {
    case 'field':
      return trans.__('Fields');
    case 'parameter':
      return trans.__('Parameters');
    case 'metric':
      return trans.__('Metrics');
    case 'label':
      return trans.__('Labels');
  }
}

/**
 * How it is with a run that is not published, for people.
 */
export function liveText(
  state: LiveRun['state'],
  trans: TranslationBundle
): string {
  return state === 'running' ? trans.__('running') : trans.__('gone');
}

/**
 * A cell's text; `''` where there is nothing to say.
 */
export function cellText(
  column: Pick<Column, 'key' | 'type'> | undefined,
  value: Cell,
  trans: TranslationBundle
): string {
  if (value === null || value === undefined) {
    return '';
  }
  if (column?.key === 'seconds' && typeof value === 'number') {
    return formatDuration(value, trans);
  }
  if (column?.type === 'time') {
    const time = asTime(value);
    return time === null ? String(value) : times.format(time);
  }
  if (typeof value === 'number') {
    return formatNumber(value);
  }
  if (typeof value === 'string') {
    // One line; a canvas knows no others.
    return value.length > 300 ? `${value.slice(0, 300)}…` : value;
  }
  return formatValue(value);
}

/**
 * The moment that a value stands for, in ms since the epoch; null when it stands for none.
 */
export function asTime(value: Cell): number | null {
  if (typeof value === 'number') {
    return value * 1000;
  }
  const time = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(time) ? null : time;
}
