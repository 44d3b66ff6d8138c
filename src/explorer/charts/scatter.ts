// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Column, Points } from '../../api/schema';
import { columnTitle } from '../cells';
import type { ITheme } from '../theme';
import { drawAxes, type IArea } from './axes';
import { makeLooks, shapePath } from './colors';
import type { IPoint, Scene } from './painter';
import { makeScale } from './scale';
import type { IScatterChart } from './state';

/** How near the mouse must be to a point, in px. */
const NEAR = 12;

/** Points with a place. */
export interface IScatter {
  /** Draw it, with these runs marked. */
  scene: (isSelected: (run: string) => boolean, any: boolean) => Scene;

  /** The index of the run nearest to a place; -1 where none is near. */
  near: (at: IPoint) => number;

  /** The runs in a rectangle. */
  inside: (a: IPoint, b: IPoint) => string[];

  /** Where a run is; null where it has no place. */
  at: (index: number) => IPoint | null;

  /** How many runs have a place. */
  readonly shown: number;
}

/**
 * Give runs their places.
 */
export function layoutScatter(options: {
  points: Points;
  chart: IScatterChart;
  column: (key: string) => Column | undefined;
  width: number;
  height: number;
  theme: ITheme;
  trans: TranslationBundle;
}): IScatter {
  const { points, chart, column, width, height, theme, trans } = options;
  const xs = points.columns[chart.x] ?? [];
  const ys = points.columns[chart.y] ?? [];
  const colors = points.columns[chart.color] ?? [];
  const looks = makeLooks(
    chart.color ? column(chart.color) : undefined,
    colors,
    theme,
    trans
  );
  const legend = looks.height(width - 80);
  const area: IArea = {
    left: 74,
    top: 10 + legend,
    right: width - 14,
    bottom: height - 40
  };
  const x = makeScale(column(chart.x), xs, [area.left + 6, area.right - 6], {
    log: chart.logX,
    gap: 80
  });
  const y = makeScale(column(chart.y), ys, [area.bottom - 6, area.top + 6], {
    log: chart.logY,
    gap: 40
  });
  // Runs with the same text would hide each other; the same run is always moved as far.
  const apart = (index: number, isNumeric: boolean): number =>
    isNumeric ? 0 : (((index * 0.618034) % 1) - 0.5) * 16;
  const places = points.runs.map((_, index): IPoint | null => {
    const left = x.place(xs[index]);
    const top = y.place(ys[index]);
    return left === null || top === null
      ? null
      : [left + apart(index, x.isNumeric), top + apart(index + 1, y.isNumeric)];
  });
  const shown = places.filter(place => place !== null).length;
  const area50 = shown > 1000 ? 20 : shown > 200 ? 36 : 56;
  return {
    shown,
    at: index => places[index] ?? null,
    scene: (isSelected, any) => painter => {
      looks.legend(painter, area.left, 4, width - 80);
      drawAxes(
        painter,
        theme,
        area,
        { ticks: x.ticks, label: columnTitle(column(chart.x), chart.x, trans) },
        { ticks: y.ticks, label: columnTitle(column(chart.y), chart.y, trans) }
      );
      const paint = (index: number, isMarked: boolean): void => {
        const place = places[index];
        if (!place) {
          return;
        }
        const look = looks.look(colors[index]);
        painter.shape(
          place[0],
          place[1],
          shapePath(look.shape, isMarked ? area50 * 2.2 + 30 : area50),
          isMarked
            ? { fill: look.color, stroke: theme.text, width: 2 }
            : { fill: look.color, opacity: any ? 0.35 : 0.75 }
        );
      };
      // Selected runs last, where nothing hides them.
      points.runs.forEach((run, index) => {
        if (!isSelected(run)) {
          paint(index, false);
        }
      });
      points.runs.forEach((run, index) => {
        if (isSelected(run)) {
          paint(index, true);
        }
      });
    },
    near: at => {
      let found = -1;
      let least = NEAR * NEAR;
      places.forEach((place, index) => {
        if (place) {
          const distance = (place[0] - at[0]) ** 2 + (place[1] - at[1]) ** 2;
          if (distance < least) {
            least = distance;
            found = index;
          }
        }
      });
      return found;
    },
    inside: (a, b) => {
      const [left, right] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
      const [top, bottom] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
      return points.runs.filter((_, index) => {
        const place = places[index];
        return (
          place !== null &&
          place[0] >= left &&
          place[0] <= right &&
          place[1] >= top &&
          place[1] <= bottom
        );
      });
    }
  };
}
