// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ITheme } from '../theme';
import type { IPainter } from './painter';
import { short, type ITick } from './scale';

/** The part of a picture that has the values, in px. */
export interface IArea {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Draw two axes with their marks and names.
 */
export function drawAxes(
  painter: IPainter,
  theme: ITheme,
  area: IArea,
  x: { ticks: readonly ITick[]; label: string },
  y: { ticks: readonly ITick[]; label: string }
): void {
  const { left, top, right, bottom } = area;
  const size = theme.size - 2;
  for (const { at, text } of y.ticks) {
    painter.line(
      [
        [left, at],
        [right, at]
      ],
      { color: theme.border, opacity: 0.6 }
    );
    painter.text(left - 6, at, short(text, 10), {
      color: theme.dim,
      size,
      align: 'right'
    });
  }
  const room = x.ticks.length > 1 ? (right - left) / x.ticks.length : 200;
  const length = Math.max(3, Math.floor(room / (size * 0.58)));
  for (const { at, text } of x.ticks) {
    painter.line(
      [
        [at, bottom],
        [at, bottom + 4]
      ],
      { color: theme.dim }
    );
    painter.text(at, bottom + 12, short(text, length), {
      color: theme.dim,
      size,
      align: 'center'
    });
  }
  painter.line(
    [
      [left, top],
      [left, bottom],
      [right, bottom]
    ],
    { color: theme.dim }
  );
  painter.text((left + right) / 2, bottom + 28, short(x.label, 60), {
    color: theme.text,
    size,
    align: 'center'
  });
  painter.text(12, (top + bottom) / 2, short(y.label, 30), {
    color: theme.text,
    size,
    align: 'center',
    upright: true
  });
}
