// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ExplorerModel } from './model';
import { moveItem } from './state';

/** The narrowest and the widest that a column is made by hand, in px. */
export const WIDTH = { least: 40, most: 1200 };

/**
 * Keep a column at the left while the others scroll, or no longer.
 */
export function pinColumn(model: ExplorerModel, key: string): void {
  const { pinned, scrolling } = model;
  if (pinned.includes(key)) {
    model.update({
      columns: [key, ...scrolling],
      pinned: pinned.filter(each => each !== key)
    });
  } else {
    model.update({
      columns: scrolling.filter(each => each !== key),
      pinned: [...pinned, key]
    });
  }
}

/**
 * Show a column no longer.
 */
export function hideColumn(model: ExplorerModel, key: string): void {
  model.update({
    columns: model.scrolling.filter(each => each !== key),
    pinned: model.pinned.filter(each => each !== key)
  });
}

/**
 * Give a column another place among the pinned ones, or among those that scroll.
 *
 * @param to - The index of the column that it comes before, in the list as it is
 */
export function moveColumn(
  model: ExplorerModel,
  key: string,
  to: number
): void {
  if (model.pinned.includes(key)) {
    model.update({ pinned: moveItem(model.pinned, key, to) });
  } else {
    model.update({ columns: moveItem(model.scrolling, key, to) });
  }
}

/**
 * Move a column by one place.
 *
 * @param by - `-1` to the left, `1` to the right
 */
export function shiftColumn(
  model: ExplorerModel,
  key: string,
  by: -1 | 1
): void {
  const from = placeOf(model, key);
  moveColumn(model, key, by < 0 ? from - 1 : from + 2);
}

/**
 * Whether a column can be moved by one place.
 */
export function canShift(
  model: ExplorerModel,
  key: string,
  by: -1 | 1
): boolean {
  const list = model.pinned.includes(key) ? model.pinned : model.scrolling;
  return list[placeOf(model, key) + by] !== undefined;
}

/**
 * Give a column a width.
 *
 * @param width - In px; held within what is sensible
 * @returns The width that it has
 */
export function resizeColumn(
  model: ExplorerModel,
  key: string,
  width: number
): number {
  const wanted = Math.round(Math.min(WIDTH.most, Math.max(WIDTH.least, width)));
  model.update({ widths: { ...model.state.widths, [key]: wanted } });
  return wanted;
}

function placeOf(model: ExplorerModel, key: string): number {
  const place = model.pinned.indexOf(key);
  return place >= 0 ? place : model.scrolling.indexOf(key);
}
