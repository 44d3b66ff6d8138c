// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { RunSeries } from '../../api/schema';
import type { ITheme } from '../theme';
import { palette } from '../theme';
import { drawAxes } from './axes';
import type { IPoint, Scene } from './painter';
import { makeScale, short } from './scale';
import { smooth } from './smoothing';
import type { ISeriesChart, SeriesX } from './state';

/** Dashes of lines, so that they differ in more than their colour; one round of colours has one. */
const DASHES: readonly (readonly number[])[] = [
  [],
  [8, 4],
  [2, 4],
  [10, 3, 2, 3]
];

/** A run's line. */
export interface ISeriesLine {
  readonly run: string;
  readonly label: string;
  readonly live: boolean;
  readonly color: string;
  readonly dash: readonly number[];
  readonly xs: readonly number[];
  readonly ys: readonly (number | null)[];
  /** The values as they were recorded, where `ys` is smoothed. */
  readonly raw: readonly (number | null)[] | null;
}

/**
 * Lines of what runs recorded, smoothed if wanted.
 */
export function makeLines(
  items: readonly RunSeries[],
  chart: ISeriesChart,
  label: (run: string) => string,
  isLight: boolean
): ISeriesLine[] {
  const colors = palette(isLight);
  return items.map((item, index) => {
    const raw = item.values.map(value =>
      typeof value === 'number' && Number.isFinite(value) ? value : null
    );
    return {
      run: item.run,
      label: label(item.run),
      live: item.live,
      color: colors[index % colors.length],
      dash: DASHES[Math.floor(index / colors.length) % DASHES.length],
      xs: positions(item, chart.x),
      ys: smooth(raw, chart.smoothing),
      raw: chart.smoothing > 0 ? raw : null
    };
  });
}

/** Where the points of a series are along the horizontal axis: steps, or seconds. */
function positions(item: RunSeries, x: SeriesX): readonly number[] {
  switch (x) {
    case 'step':
      return item.steps;
    case 'wall':
      return item.times;
    case 'relative': {
      const start = item.times.reduce((a, b) => Math.min(a, b), Infinity);
      return item.times.map(time => time - start);
    }
  }
}

/**
 * Lines at common places, as uPlot takes them: the places in order, then a column a line.
 *
 * #### Notes
 * `null` is a gap and `undefined` no point there, which the line passes over.
 */
export function alignLines(
  lines: readonly { xs: readonly number[]; ys: readonly (number | null)[] }[],
  log: boolean
): [number[], ...(number | null | undefined)[][]] {
  const maps = lines.map(({ xs, ys }) => {
    const map = new Map<number, number | null>();
    xs.forEach((x, index) => {
      const y = ys[index];
      if (Number.isFinite(x)) {
        map.set(x, y !== null && (!log || y > 0) ? y : null);
      }
    });
    return map;
  });
  const places = new Set<number>();
  for (const map of maps) {
    for (const x of map.keys()) {
      places.add(x);
    }
  }
  const xs = [...places].sort((a, b) => a - b);
  return [xs, ...maps.map(map => xs.map(x => map.get(x)))];
}

/**
 * The lines as a picture for a file.
 */
export function drawLines(options: {
  title: string;
  xLabel: string;
  lines: readonly ISeriesLine[];
  chart: ISeriesChart;
  width: number;
  height: number;
  theme: ITheme;
}): Scene {
  const { title, xLabel, lines, chart, width, height, theme } = options;
  const legend = Math.ceil(lines.length / 3) * 18;
  const area = {
    left: 74,
    top: 12 + legend,
    right: width - 14,
    bottom: height - 40
  };
  const isWall = chart.x === 'wall';
  const x = makeScale(
    { type: isWall ? 'time' : 'number' },
    lines.flatMap(line => [...line.xs]),
    [area.left, area.right],
    { gap: 90 }
  );
  const y = makeScale(
    { type: 'number' },
    lines.flatMap(line => [...line.ys]),
    [area.bottom, area.top],
    { log: chart.log, gap: 40 }
  );
  return painter => {
    lines.forEach((line, index) => {
      const left = area.left + (index % 3) * ((width - 90) / 3);
      const top = 14 + Math.floor(index / 3) * 18;
      painter.line(
        [
          [left, top],
          [left + 22, top]
        ],
        { color: line.color, width: 2, dash: line.dash }
      );
      painter.text(left + 28, top, short(line.label, 24), {
        color: theme.text,
        size: theme.size - 2
      });
    });
    drawAxes(
      painter,
      theme,
      area,
      { ticks: x.ticks, label: xLabel },
      { ticks: y.ticks, label: title }
    );
    for (const line of lines) {
      const places = line.xs.map((at, index): IPoint | null => {
        const left = x.place(at);
        const top = y.place(line.ys[index]);
        return left === null || top === null ? null : [left, top];
      });
      painter.line(places, { color: line.color, width: 2, dash: line.dash });
    }
  };
}
