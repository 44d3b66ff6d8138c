// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { SeriesPoints } from '../api/schema';

/**
 * One line of a chart.
 */
export interface ICurve {
  /**
   * What it is called in the legend.
   */
  label: string;

  /**
   * Its points.
   */
  points: SeriesPoints;

  /**
   * Which of the chart's colours and dashes it has; the first unless told.
   */
  style?: number;
}

/**
 * What a chart has on its horizontal axis.
 */
export type CurveX = 'step' | 'time';

/**
 * Columns as uPlot takes them: all horizontal positions, ascending, then one column a curve.
 *
 * #### Notes
 * `null` is a gap (the value is not a number or cannot be shown), `undefined` is no point at
 * that position, which the line passes over.
 */
export type CurveColumns = [number[], ...(number | null | undefined)[][]];

/**
 * Bring curves to common horizontal positions.
 *
 * @param curves - The curves.
 * @param x - Steps, or seconds since each curve's own first point.
 * @param log - Whether the vertical axis is logarithmic, where only positive values have a place.
 *
 * #### Notes
 * Where a curve has several values at one position, the last one stays.
 */
export function alignCurves(
  curves: ICurve[],
  x: CurveX,
  log: boolean
): CurveColumns {
  const maps = curves.map(({ points }) => {
    const positions = x === 'step' ? points.steps : elapsed(points.times);
    const map = new Map<number, number | null>();
    positions.forEach((position, index) => {
      const value = points.values[index];
      if (Number.isFinite(position)) {
        map.set(position, drawable(value, log) ? value : null);
      }
    });
    return map;
  });
  const union = new Set<number>();
  for (const map of maps) {
    for (const position of map.keys()) {
      union.add(position);
    }
  }
  const positions = [...union].sort((a, b) => a - b);
  return [
    positions,
    ...maps.map(map => positions.map(position => map.get(position)))
  ];
}

/**
 * Whether any value has a place on a logarithmic axis.
 */
export function canBeLogarithmic(curves: ICurve[]): boolean {
  return curves.some(curve =>
    curve.points.values.some(value => drawable(value, true))
  );
}

/**
 * The smallest, largest and last number of a curve, or null where it has none.
 */
export function extremes(
  points: SeriesPoints
): { least: number; most: number; last: number } | null {
  const numbers = points.values.filter(
    (value): value is number =>
      typeof value === 'number' && Number.isFinite(value)
  );
  if (numbers.length === 0) {
    return null;
  }
  return {
    least: numbers.reduce((a, b) => Math.min(a, b)),
    most: numbers.reduce((a, b) => Math.max(a, b)),
    last: numbers[numbers.length - 1]
  };
}

/**
 * Seconds since the first of these moments.
 */
export function elapsed(times: number[]): number[] {
  const start = times.reduce((least, time) => Math.min(least, time), Infinity);
  return times.map(time => time - start);
}

function drawable(value: number | null | undefined, log: boolean): boolean {
  return (
    typeof value === 'number' && Number.isFinite(value) && (!log || value > 0)
  );
}
