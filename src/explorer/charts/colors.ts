// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { scaleLinear } from 'd3-scale';
import {
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye
} from 'd3-shape';

import type { Column } from '../../api/schema';
import { formatNumber, formatValue } from '../../run/format';
import type { Scalar } from '../../run/format';
import { cellText } from '../cells';
import { palette, ramp, type ITheme } from '../theme';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IPainter } from './painter';
import { commonest, isQuantity, numberOf, short } from './scale';

const SHAPES = [
  symbolCircle,
  symbolSquare,
  symbolTriangle,
  symbolDiamond,
  symbolCross,
  symbolStar,
  symbolWye
];

/** How many texts have a colour and shape of their own. */
const TEXTS = SHAPES.length;

/** Height of a row of the legend, in px. */
const ROW = 18;

/** What a value looks like. */
export interface ILook {
  readonly color: string;
  /** Index of a shape; its size is chosen where it is drawn. */
  readonly shape: number;
}

/** What the values of a column look like. */
export interface ILooks {
  look: (value: Scalar | undefined) => ILook;

  /** How much room the legend takes in a picture, in px. */
  height: (width: number) => number;

  /** Draw the legend. */
  legend: (painter: IPainter, x: number, y: number, width: number) => void;
}

/**
 * A shape as the data of an SVG path.
 *
 * @param index - Which
 * @param area - How large, in px²
 */
export function shapePath(index: number, area: number): string {
  return symbol(SHAPES[index % SHAPES.length], area)() ?? '';
}

/**
 * Colours, and shapes for texts, of a column's values.
 *
 * @param column - The column; undefined for one look for all
 * @param values - Its values
 */
export function makeLooks(
  column: Column | undefined,
  values: readonly Scalar[],
  theme: ITheme,
  trans: TranslationBundle
): ILooks {
  const colors = palette(theme.isLight);
  if (!column) {
    const look = { color: colors[0], shape: 0 };
    return { look: () => look, height: () => 0, legend: () => undefined };
  }
  const none: ILook = { color: theme.dim, shape: 0 };
  if (isQuantity(column)) {
    const numbers = values
      .map(value => numberOf(column, value))
      .filter((value): value is number => value !== null);
    const least = numbers.reduce((a, b) => Math.min(a, b), Infinity);
    const most = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
    const stops = ramp(theme.isLight);
    const scale = scaleLinear<string>(
      stops.map(
        (_, index) => least + ((most - least) * index) / (stops.length - 1)
      ),
      stops
    ).clamp(true);
    return {
      look: value => {
        const number = numberOf(column, value);
        return number === null
          ? none
          : {
              color: least === most ? stops[stops.length - 1] : scale(number),
              shape: 0
            };
      },
      height: () => (numbers.length > 0 ? ROW : 0),
      legend: (painter, x, y, width) => {
        if (numbers.length === 0) {
          return;
        }
        const say = (value: number): string =>
          column.type === 'time'
            ? cellText(column, value / 1000, trans)
            : formatNumber(value);
        const size = theme.size - 2;
        const name = short(column.name, 24);
        painter.text(x, y + ROW / 2, `${name}: ${say(least)}`, {
          color: theme.text,
          size
        });
        const bar = x + (name.length + say(least).length + 3) * size * 0.56;
        const length = Math.min(90, Math.max(30, width / 5));
        for (let part = 0; part < 30; part++) {
          painter.rect(
            bar + (part * length) / 30,
            y + 5,
            length / 30 + 0.5,
            ROW - 10,
            {
              fill:
                least === most
                  ? stops[stops.length - 1]
                  : scale(least + ((most - least) * part) / 29)
            }
          );
        }
        painter.text(bar + length + 6, y + ROW / 2, say(most), {
          color: theme.text,
          size
        });
      }
    };
  }
  const texts = commonest(values, TEXTS);
  const looks = new Map(
    texts.map((text, index): [string, ILook] => [
      text,
      { color: colors[index % colors.length], shape: index }
    ])
  );
  const size = theme.size - 2;
  const items = texts.map(text => short(text, 20));
  const place = (width: number): { x: number; y: number }[] => {
    let x = 0;
    let y = 0;
    return items.map(text => {
      const room = 22 + text.length * size * 0.6;
      if (x > 0 && x + room > width) {
        x = 0;
        y += ROW;
      }
      const at = { x, y };
      x += room;
      return at;
    });
  };
  return {
    look: value =>
      value === null || value === undefined
        ? none
        : (looks.get(formatValue(value)) ?? none),
    height: width =>
      items.length === 0 ? 0 : place(width)[items.length - 1].y + ROW,
    legend: (painter, x, y, width) =>
      place(width).forEach((at, index) => {
        const { color, shape } = looks.get(texts[index]) ?? none;
        painter.shape(x + at.x + 6, y + at.y + ROW / 2, shapePath(shape, 50), {
          fill: color
        });
        painter.text(x + at.x + 16, y + at.y + ROW / 2, items[index], {
          color: theme.text,
          size
        });
      })
  };
}
