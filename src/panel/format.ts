// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { formatNumber, formatValue, type Scalar } from '../run/format';

const SECOND = 1000;
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 24 * 3600 * SECOND],
  ['month', 30 * 24 * 3600 * SECOND],
  ['week', 7 * 24 * 3600 * SECOND],
  ['day', 24 * 3600 * SECOND],
  ['hour', 3600 * SECOND],
  ['minute', 60 * SECOND]
];

const formats = new Map<string, Intl.RelativeTimeFormat>();

/**
 * How long ago a moment was, in the reader's language: "5 minutes ago", "yesterday".
 *
 * @param time - The moment, ISO 8601
 * @param now - The moment it is seen from, ms since the epoch
 * @param language - The language of the interface, such as `en` or `zh_CN`
 */
export function relativeTime(
  time: string,
  now: number,
  language = 'en'
): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) {
    return time;
  }
  const format = relativeFormat(language);
  // A clock a little ahead of ours makes no run of the future.
  const past = Math.min(0, then - now);
  for (const [unit, size] of STEPS) {
    // Rounded up early, so that 59.7 minutes are an hour and not 60 minutes.
    if (-past >= size * (unit === 'minute' ? 0.75 : 0.98)) {
      return format.format(Math.round(past / size), unit);
    }
  }
  return format.format(0, 'second');
}

function relativeFormat(language: string): Intl.RelativeTimeFormat {
  let format = formats.get(language);
  if (!format) {
    const options: Intl.RelativeTimeFormatOptions = {
      numeric: 'auto',
      style: 'short'
    };
    try {
      format = new Intl.RelativeTimeFormat(
        language.replace(/_/g, '-'),
        options
      );
    } catch {
      // A language pack may have a name that is no language tag.
      format = new Intl.RelativeTimeFormat(undefined, options);
    }
    formats.set(language, format);
  }
  return format;
}

/**
 * A metric's value for a narrow row: numbers keep four significant digits.
 */
export function shortValue(value: Scalar | undefined): string {
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return formatNumber(Number(value.toPrecision(4)));
  }
  return formatValue(value);
}

/**
 * The last part of a path.
 */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * Quote a name where the language of filters and orders needs it.
 *
 * @param kind - The group that the name belongs to
 * @param name - Name of a parameter or metric
 */
export function fieldOf(kind: 'metrics' | 'parameters', name: string): string {
  return /^[A-Za-z_]\w*$/.test(name)
    ? `${kind}.${name}`
    : `${kind}."${name.replace(/"/g, '""')}"`;
}
