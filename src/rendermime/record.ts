// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { asNumber, formatNumber } from '../run/format';

/**
 * A published run as the card in a cell's output shows it.
 */
export interface ICardRecord {
  /**
   * The run's id.
   */
  id: string;

  /**
   * What the run is about; empty when not told.
   */
  description: string;

  /**
   * Why the run failed, or null if it did not.
   */
  error: string | null;

  /**
   * The last line of its traceback, if it failed with one.
   */
  traceback: string | null;

  /**
   * How long it took, in seconds, where that is known.
   */
  seconds: number | null;

  /**
   * Metrics, by name; with how many points where there are several.
   */
  metrics: { name: string; text: string; count: number | null }[];

  /**
   * Parameters, by name.
   */
  parameters: { name: string; text: string }[];

  /**
   * Labels, by name.
   */
  labels: { name: string; text: string }[];

  /**
   * Paths that were read.
   */
  inputs: string[];

  /**
   * Paths that were written.
   */
  outputs: string[];
}

/**
 * Read the record in a cell's output (section 2 of docs/run-format.md).
 *
 * @param data - What the output holds; anybody may have written it.
 * @returns The record, or null where it is none.
 */
export function readRecord(data: unknown): ICardRecord | null {
  const record = asObject(data);
  const run = asObject(record.run);
  if (typeof record.id !== 'string' || !record.run) {
    return null;
  }
  const types = asObject(record.types);
  const series = asObject(record.series);
  const metrics = readValues(run.summary, types.summary);
  return {
    id: record.id,
    description: asText(run.description) ?? '',
    error: asText(run.error),
    traceback: asText(record.traceback),
    seconds: readSeconds(run.start, run.end),
    metrics: metrics.map(metric => {
      const { count } = asObject(series[metric.name]);
      return { ...metric, count: typeof count === 'number' ? count : null };
    }),
    parameters: readValues(run.parameters, types.parameters),
    labels: readValues(run.labels, types.labels),
    inputs: readPaths(run.input),
    outputs: readPaths(run.output)
  };
}

function readValues(
  values: unknown,
  types: unknown
): { name: string; text: string }[] {
  const known = asObject(types);
  return Object.entries(asObject(values))
    .map(([name, value]) => ({ name, text: valueText(value, known[name]) }))
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

/**
 * Values are text in the format; those that were numbers are shown as such.
 */
function valueText(value: unknown, type: unknown): string {
  if (typeof value === 'number') {
    return formatNumber(value);
  }
  if (typeof value !== 'string') {
    return JSON.stringify(value) ?? '';
  }
  if (type === 'float' && value.trim() !== '') {
    const number = asNumber(value) ?? Number(value);
    return Number.isNaN(number) ? value : formatNumber(number);
  }
  return value;
}

function readPaths(paths: unknown): string[] {
  return Array.isArray(paths)
    ? paths.filter((path): path is string => typeof path === 'string').sort()
    : [];
}

const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\.\d+)?$/;

/**
 * The seconds between two times of the format, `YYYYMMDDTHHMMSS.ffffff`.
 */
function readSeconds(start: unknown, end: unknown): number | null {
  const from = readTime(start);
  const to = readTime(end);
  return from === null || to === null || to < from ? null : to - from;
}

function readTime(text: unknown): number | null {
  const match = typeof text === 'string' ? TIME.exec(text) : null;
  if (!match) {
    return null;
  }
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map(Number);
  return (
    Date.UTC(year, month - 1, day, hour, minute, second) / 1000 +
    Number(match[7] ?? 0)
  );
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
