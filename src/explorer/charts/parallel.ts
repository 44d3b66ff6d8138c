// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Column, Points } from '../../api/schema';
import { columnTitle } from '../cells';
import type { ITheme } from '../theme';
import { makeLooks } from './colors';
import type { IPoint, Scene } from './painter';
import { makeScale, short, type IScale } from './scale';

/** How near to an axis a brush begins, in px. */
const NEAR = 24;

/** How near the mouse must be to a line, in px. */
const LINE = 6;

/** Parts of axes that lines must cross, from top to bottom, by the column's key. */
export type Brushes = Readonly<Record<string, readonly [number, number]>>;

/** Lines with their places. */
export interface IParallel {
  /** Draw it, with these runs marked. */
  scene: (
    isSelected: (run: string) => boolean,
    any: boolean,
    brushes: Brushes
  ) => Scene;

  /** The key of the axis near to a place; null where none is. */
  axis: (at: IPoint) => string | null;

  /** The index of the run whose line is nearest to a place; -1 where none is near. */
  near: (at: IPoint) => number;

  /** The runs whose lines cross all brushes. */
  inside: (brushes: Brushes) => string[];

  readonly top: number;
  readonly bottom: number;
}

/**
 * Give runs their lines across axes.
 */
export function layoutParallel(options: {
  points: Points;
  columns: readonly string[];
  color: string;
  column: (key: string) => Column | undefined;
  width: number;
  height: number;
  theme: ITheme;
  trans: TranslationBundle;
}): IParallel {
  const { points, columns, column, width, height, theme, trans } = options;
  const values = points.columns[options.color] ?? [];
  const looks = makeLooks(
    options.color ? column(options.color) : undefined,
    values,
    theme,
    trans
  );
  const isDense =
    columns.length > 1 && (width - 100) / (columns.length - 1) < 110;
  // Names that have no room side by side stand in two rows.
  const top = (isDense ? 50 : 34) + looks.height(width - 40);
  const bottom = height - 14;
  const left = 60;
  const step =
    columns.length > 1 ? (width - left - 40) / (columns.length - 1) : 0;
  const axes = columns.map((key, index) => ({
    key,
    x: left + index * step,
    scale: makeScale(column(key), points.columns[key] ?? [], [bottom, top], {
      gap: isDense ? 56 : 34
    })
  }));
  const lines = points.runs.map((_, run) =>
    axes.map(({ key, x, scale }): IPoint | null => {
      const y = scale.place(points.columns[key]?.[run]);
      return y === null ? null : [x, y];
    })
  );
  const size = theme.size - 2;
  const room = Math.max(
    4,
    Math.floor(((step || 120) * (isDense ? 1.9 : 1)) / (size * 0.62))
  );
  return {
    top,
    bottom,
    scene: (isSelected, any, brushes) => painter => {
      looks.legend(painter, 20, 2, width - 40);
      const opacity = any
        ? Math.max(0.02, Math.min(0.2, 20 / lines.length))
        : Math.max(0.1, Math.min(0.7, 60 / lines.length));
      lines.forEach((line, run) => {
        if (!isSelected(points.runs[run])) {
          const { color } = looks.look(values[run]);
          painter.line(line, { color: any ? theme.dim : color, opacity });
        }
      });
      lines.forEach((line, run) => {
        if (isSelected(points.runs[run])) {
          const { color } = looks.look(values[run]);
          painter.line(line, { color, width: 2 });
        }
      });
      axes.forEach(({ key, x, scale }, index) => {
        painter.line(
          [
            [x, top],
            [x, bottom]
          ],
          { color: theme.text, width: 1.5 }
        );
        const isLast = index === axes.length - 1 && axes.length > 1;
        const name = short(columnTitle(column(key), key, trans), room);
        const up = isDense && index % 2 === 1 ? 30 : 14;
        painter.text(isLast ? width - 4 : x, top - up, name, {
          color: theme.text,
          size,
          align: isLast ? 'right' : 'center',
          bold: true
        });
        drawTicks(painter, theme, x, scale, Math.min(room, 9));
        const brush = brushes[key];
        if (brush) {
          painter.rect(x - 7, brush[0], 14, brush[1] - brush[0], {
            fill: theme.brand,
            opacity: 0.3
          });
          painter.rect(x - 7, brush[0], 14, brush[1] - brush[0], {
            stroke: theme.brand
          });
        }
      });
    },
    axis: at =>
      at[1] < top - 8 || at[1] > bottom + 8
        ? null
        : (axes.find(
            ({ x }) => Math.abs(x - at[0]) <= Math.min(NEAR, step / 2 || NEAR)
          )?.key ?? null),
    near: at => {
      const index = axes.findIndex(({ x }) => x > at[0]);
      if (index < 1) {
        return -1;
      }
      const share = (at[0] - axes[index - 1].x) / (step || 1);
      let found = -1;
      let least = LINE;
      lines.forEach((line, run) => {
        const a = line[index - 1];
        const b = line[index];
        if (a && b) {
          const distance = Math.abs(a[1] + (b[1] - a[1]) * share - at[1]);
          if (distance < least) {
            least = distance;
            found = run;
          }
        }
      });
      return found;
    },
    inside: brushes => {
      const given = axes
        .map(({ key }, index) => ({ index, brush: brushes[key] }))
        .filter(({ brush }) => brush !== undefined);
      return points.runs.filter((_, run) =>
        given.every(({ index, brush }) => {
          const point = lines[run][index];
          return point && point[1] >= brush[0] && point[1] <= brush[1];
        })
      );
    }
  };
}

function drawTicks(
  painter: Parameters<Scene>[0],
  theme: ITheme,
  x: number,
  scale: IScale,
  room: number
): void {
  for (const { at, text } of scale.ticks) {
    painter.line(
      [
        [x - 4, at],
        [x, at]
      ],
      { color: theme.text }
    );
    const shown = short(text, room);
    const size = theme.size - 3;
    // Lines run below the numbers; the ground keeps them legible.
    painter.rect(
      x - 8 - shown.length * size * 0.56,
      at - 6,
      shown.length * size * 0.56 + 2,
      12,
      {
        fill: theme.background,
        opacity: 0.75
      }
    );
    painter.text(x - 7, at, shown, { color: theme.text, size, align: 'right' });
  }
}
