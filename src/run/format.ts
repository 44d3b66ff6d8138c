// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

/**
 * A parameter, metric or other single value of a run.
 */
export type Scalar = boolean | number | string | null;

/**
 * What stands where there is no value.
 */
export const NOTHING = '—';

/**
 * The kinds of values that people tell apart.
 */
export type ValueKind = 'boolean' | 'number' | 'text' | 'none';

/**
 * Format a value for people; numbers keep at most six significant digits.
 *
 * @param value - The value; `undefined` means that there is none.
 * @param exact - Whether numbers keep all their digits.
 */
export function formatValue(
  value: Scalar | undefined,
  exact: boolean = false
): string {
  if (value === undefined) {
    return NOTHING;
  }
  if (value === null) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'number') {
    return exact ? String(value) : formatNumber(value);
  }
  return value;
}

/**
 * Format a number with at most six significant digits, whole numbers in full.
 */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) {
    return 'nan';
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? 'inf' : '-inf';
  }
  if (Number.isInteger(value) && Math.abs(value) < 1e15) {
    return String(value);
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) {
    return value.toExponential(4).replace(/\.?0+e/, 'e');
  }
  return String(Number(value.toPrecision(6)));
}

/**
 * The number that a value stands for, or null.
 *
 * #### Notes
 * JSON has no NaN or infinities; the server writes them as `nan`, `inf`, `-inf`.
 */
export function asNumber(value: Scalar | undefined): number | null {
  if (typeof value === 'number') {
    return value;
  }
  switch (value) {
    case 'nan':
    case 'NaN':
      return NaN;
    case 'inf':
    case 'Infinity':
      return Infinity;
    case '-inf':
    case '-Infinity':
      return -Infinity;
    default:
      return null;
  }
}

/**
 * Tell what kind of value this is.
 */
export function valueKind(value: Scalar): ValueKind {
  if (value === null) {
    return 'none';
  }
  if (typeof value === 'boolean') {
    return 'boolean';
  }
  return typeof value === 'number' ? 'number' : 'text';
}

/**
 * Order values: numbers by size, then text as people order it, nothing last.
 */
export function compareValues(
  a: Scalar | undefined,
  b: Scalar | undefined
): number {
  const x = rank(a);
  const y = rank(b);
  if (x !== y) {
    return x - y;
  }
  if (typeof a === 'number' && typeof b === 'number') {
    return a - b;
  }
  if (typeof a === 'boolean' && typeof b === 'boolean') {
    return Number(a) - Number(b);
  }
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function rank(value: Scalar | undefined): number {
  if (value === undefined || value === null) {
    return 3;
  }
  if (typeof value === 'number') {
    return 0;
  }
  return typeof value === 'boolean' ? 1 : 2;
}

/**
 * Format a span of time in its two largest useful units.
 */
export function formatDuration(
  seconds: number | null | undefined,
  trans: TranslationBundle
): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return NOTHING;
  }
  if (seconds < 1) {
    return trans.__('%1 ms', Math.max(0, Math.round(seconds * 1000)));
  }
  if (seconds < 59.95) {
    return trans.__('%1 s', Number(seconds.toFixed(seconds < 10 ? 2 : 1)));
  }
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return trans.__('%1 min %2 s', minutes, whole % 60);
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return trans.__('%1 h %2 min', hours, minutes % 60);
  }
  return trans.__('%1 d %2 h', Math.floor(hours / 24), hours % 24);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/**
 * Format a number of bytes with a decimal unit.
 */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) {
    return NOTHING;
  }
  let value = Math.abs(bytes);
  let unit = 0;
  // what would be shown as 1000 belongs to the next unit
  while (unit < UNITS.length - 1 && value >= (unit === 0 ? 1000 : 999.95)) {
    value /= 1000;
    unit += 1;
  }
  const sign = bytes < 0 ? '-' : '';
  return `${sign}${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/**
 * Format a moment in the reader's own zone and habits.
 */
export function formatTime(iso: string | null | undefined): string {
  if (!iso) {
    return NOTHING;
  }
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) {
    return iso;
  }
  return time.toLocaleString(undefined, {
    dateStyle: 'medium',
    timeStyle: 'medium'
  });
}

/**
 * The first characters of an id, enough for people to tell ids apart.
 */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

/**
 * The first line of a message or a description.
 */
export function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0];
}

/**
 * What to call a run: its description's first line, else its short id.
 */
export function runTitle(
  run: { id: string; description: string },
  trans: TranslationBundle
): string {
  const line = firstLine(run.description);
  if (!line) {
    return trans.__('Run %1', shortId(run.id));
  }
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
