// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { scaleLinear, scaleLog, scalePoint, scaleTime } from 'd3-scale';

import type { Column } from '../../api/schema';
import { asNumber, formatNumber, formatValue } from '../../run/format';
import type { Scalar } from '../../run/format';
import { asTime } from '../cells';

/** How many different texts an axis shows; those that are rarer have no place on it. */
const MAX_TEXTS = 20;

/** A mark on an axis. */
export interface ITick {
  /** Where, in px. */
  readonly at: number;

  /** What it says. */
  readonly text: string;
}

/** Places for the values of a column. */
export interface IScale {
  /** Where a value is, in px; null where it has no place. */
  place: (value: Scalar | undefined) => number | null;

  /** Marks for people. */
  readonly ticks: readonly ITick[];

  /** Whether the places are by size of a number. */
  readonly isNumeric: boolean;
}

/**
 * Whether a column is a quantity; other columns have a place for each text.
 */
export function isQuantity(column: Pick<Column, 'type'> | undefined): boolean {
  return column?.type === 'number' || column?.type === 'time';
}

/** The number that a value of a column stands for; null where it stands for none. */
export function numberOf(
  column: Pick<Column, 'type'> | undefined,
  value: Scalar | undefined
): number | null {
  const number =
    column?.type === 'time' ? asTime(value ?? null) : asNumber(value);
  return number !== null && Number.isFinite(number) ? number : null;
}

/**
 * Give the values of a column places.
 *
 * @param column - What the column is
 * @param values - Its values
 * @param range - From where to where, in px
 * @param options - Whether powers of ten are as far apart as each other, and how far marks are
 * apart at least, in px
 */
export function makeScale(
  column: Pick<Column, 'type'> | undefined,
  values: readonly Scalar[],
  range: readonly [number, number],
  options: { log?: boolean; gap?: number } = {}
): IScale {
  const length = Math.abs(range[1] - range[0]);
  const count = Math.max(2, Math.floor(length / (options.gap ?? 60)));
  if (!isQuantity(column)) {
    return makeTextScale(values, range, count);
  }
  const isTime = column?.type === 'time';
  const log = options.log === true && !isTime;
  const numbers = values
    .map(value => numberOf(column, value))
    .filter((value): value is number => value !== null && (!log || value > 0));
  const [least, most] = spread(numbers, log);
  if (isTime) {
    const scale = scaleTime([new Date(least), new Date(most)], [...range]);
    const format = scale.tickFormat(count);
    return {
      place: value => {
        const time = numberOf(column, value);
        return time === null ? null : scale(time);
      },
      ticks: scale
        .ticks(count)
        .map(tick => ({ at: scale(tick), text: format(tick) })),
      isNumeric: true
    };
  }
  if (log) {
    const scale = scaleLog([least, most], [...range]).nice();
    const ticks = scale.ticks(count);
    // Between two powers of ten d3 makes a mark for each digit, which have no room.
    const tens = ticks.filter(tick => Number.isInteger(Math.log10(tick)));
    const shown = tens.length >= 2 ? thin(tens, count) : thin(ticks, count);
    return {
      place: value => {
        const number = numberOf(column, value);
        return number === null || number <= 0 ? null : scale(number);
      },
      ticks: shown.map(tick => ({ at: scale(tick), text: formatNumber(tick) })),
      isNumeric: true
    };
  }
  const scale = scaleLinear([least, most], [...range]).nice(count);
  return {
    place: value => {
      const number = numberOf(column, value);
      return number === null ? null : scale(number);
    },
    ticks: scale
      .ticks(count)
      .map(tick => ({ at: scale(tick), text: formatNumber(tick) })),
    isNumeric: true
  };
}

function makeTextScale(
  values: readonly Scalar[],
  range: readonly [number, number],
  count: number
): IScale {
  const texts = commonest(values, MAX_TEXTS);
  const scale = scalePoint(texts, [...range]).padding(0.5);
  const shown = texts.length > count * 2 ? thin(texts, count * 2) : texts;
  return {
    place: value =>
      value === null || value === undefined
        ? null
        : (scale(formatValue(value)) ?? null),
    ticks: shown.map(text => ({ at: scale(text) ?? 0, text })),
    isNumeric: false
  };
}

/**
 * The commonest texts among values, in the order of their size as people order texts.
 */
export function commonest(values: readonly Scalar[], most: number): string[] {
  const counts = new Map<string, number>();
  for (const value of values) {
    if (value !== null && value !== undefined) {
      const text = formatValue(value);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, most)
    .map(([text]) => text)
    .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}

/** The least and largest of numbers; never the same. */
function spread(numbers: readonly number[], log: boolean): [number, number] {
  if (numbers.length === 0) {
    return log ? [1, 10] : [0, 1];
  }
  let least = Infinity;
  let most = -Infinity;
  for (const number of numbers) {
    least = Math.min(least, number);
    most = Math.max(most, number);
  }
  if (least === most) {
    return log
      ? [least / 2, most * 2]
      : [least - (Math.abs(least) / 2 || 1), most + (Math.abs(most) / 2 || 1)];
  }
  return [least, most];
}

function thin<T>(items: readonly T[], count: number): T[] {
  const step = Math.ceil(items.length / Math.max(1, count));
  return items.filter((_, index) => index % step === 0);
}

/** A text of at most so many characters. */
export function short(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
